package e2e

import (
	"compress/gzip"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// Every subcommand explains itself, rejects wrong usage with status 2, and fails with status 1 and a reason.
func TestCommands(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		want []string
	}{
		{"version", nil, []string{"version"}, 0, []string{"development, commit " + builtCommit + ", schema "}},
		{"the licences", nil, []string{"version", "--licenses"}, 0, []string{"gorm.io/gorm", "Apache License", "htmx"}},
		{"help", nil, []string{"help"}, 0, []string{"serve", "migrate", "prices sync", "doctor", "reconcile", "grant", "keys",
			"admins"}},
		{"help on a command", nil, []string{"grant", "-h"}, 0, []string{"-email", "-credits", "-note"}},
		{"help on prices", nil, []string{"prices", "sync", "-h"}, 0, []string{"Usage: credits prices sync"}},
		{"an unknown command", nil, []string{"dance"}, 2, []string{"no command “dance”"}},
		{"an unknown flag", nil, []string{"serve", "-x"}, 2, []string{"-x"}},
		{"an extra argument", nil, []string{"migrate", "now"}, 2, []string{"“now”"}},
		{"an incomplete command", nil, []string{"prices"}, 2, []string{"prices sync"}},
		{"a grant of nothing", nil, []string{"grant", "--email", "a@example.com"}, 2, []string{"--credits"}},
		{"help on keys", nil, []string{"keys", "-h"}, 0, []string{"create", "list", "revoke"}},
		{"help on relink", nil, []string{"relink", "-h"}, 0, []string{"Usage: credits relink", "-user", "-identity"}},
		{"help on admins", nil, []string{"admins", "-h"}, 0, []string{"Usage: credits admins", "-release"}},
		{"help on making a key", nil, []string{"keys", "create", "-h"}, 0,
			[]string{"-name", "-scope", "-per-minute", "default 1000", "-expires-days"}},
		{"help on listing keys", nil, []string{"keys", "list", "-h"}, 0, []string{"Usage: credits keys list"}},
		{"help on revoking a key", nil, []string{"keys", "revoke", "-h"}, 0,
			[]string{"Usage: credits keys revoke ID|PREFIX"}},
		{"help on webhooks", nil, []string{"webhooks", "-h"}, 0, []string{"list", "add", "rotate", "remove", "replay"}},
		{"help on adding a webhook", nil, []string{"webhooks", "add", "-h"}, 0,
			[]string{"-url", "-events", "-low", "default 50"}},
		{"a webhook without a URL", nil, []string{"webhooks", "add"}, 2, []string{"--url"}},
		{"a webhook that no URL names", nil, []string{"webhooks", "remove", "x"}, 1, []string{"credits webhooks list"}},
		{"keys alone", nil, []string{"keys"}, 2, []string{"create, list and revoke"}},
		{"a key without a scope", nil, []string{"keys", "create", "--name", "x"}, 2, []string{"--scope"}},
		{"revoking without a key", nil, []string{"keys", "revoke"}, 2, []string{"missing"}},
		{"revoking two keys", nil, []string{"keys", "revoke", "a", "b"}, 2, []string{"“b”"}},
		{"a configuration with every setting wrong", []string{"PORT=http", "APP_ENV=production", "APP_URL=credits",
			"STRIPE_SECRET_KEY=changeme", "SESSION_SECRET=short",
			"LOG_LEVEL=loud", "GOOGLE_CLIENT_ID=x"}, []string{"serve"}, 1,
			[]string{"PORT", "APP_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "SESSION_SECRET", "LOG_LEVEL",
				"GOOGLE_CLIENT_ID", "DATABASE_URL"}},
		{"a database that does not answer", []string{"DATABASE_URL=postgres://app:hunter2@127.0.0.1:9/app"},
			[]string{"migrate"}, 1, []string{"migrate"}},
		{"migrate", []string{database}, []string{"migrate"}, 0, []string{"this version’s schema"}},
		{"migrate again", []string{database}, []string{"migrate"}, 0, []string{"this version’s schema"}},
		{"a grant to an unknown user", []string{database},
			[]string{"grant", "--email", "a@example.com", "--credits", "5", "--note", "x"}, 1, []string{"no user"}},
		{"prices", []string{database}, []string{"prices", "sync"}, 0, []string{"3 prices"}},
		{"a key with an unknown scope", []string{database},
			[]string{"keys", "create", "--name", "x", "--scope", "spend,admin"}, 2, []string{"--scope is wrong"}},
		{"a key with a long name", []string{database}, []string{"keys", "create", "--name", strings.Repeat("x", 81),
			"--scope", "read"}, 2, []string{"--name is wrong"}},
		{"a key with too many calls", []string{database},
			[]string{"keys", "create", "--name", "x", "--scope", "read", "--per-minute", "1000001"}, 2,
			[]string{"--per-minute is wrong"}},
		{"a key that lasts too long", []string{database},
			[]string{"keys", "create", "--name", "x", "--scope", "read", "--expires-days", "4000"}, 2,
			[]string{"--expires-days is wrong"}},
		{"revoking an unknown key", []string{database}, []string{"keys", "revoke", "rmc_00000000"}, 1,
			[]string{"no key has"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code := command(t, c.env, c.args...)
			if code != c.code {
				t.Errorf("exit status %d, want %d:\n%s", code, c.code, out)
			}
			for _, text := range c.want {
				if !strings.Contains(out, text) {
					t.Errorf("output lacks %q:\n%s", text, out)
				}
			}
			if strings.Contains(out, "hunter2") || strings.Contains(out, "changeme") {
				t.Errorf("output contains a secret:\n%s", out)
			}
		})
	}
}

// credits grant finds the user in any letter case, and the history shows the reason.
func TestGrantOnTheCommandLine(t *testing.T) {
	t.Parallel()
	database := "DATABASE_URL=" + dbtest.URL(t)
	s := start(t, database)
	v := newVisitor(s, "en")
	v.signInAs("ada@example.com")
	out, code := command(t, []string{database}, "grant", "--email", "ADA@example.com", "--credits", "40", "--note",
		"sorry for the wait")
	if code != 0 || !strings.Contains(out, "Balance: 40 credits") {
		t.Fatalf("grant: exit status %d, want 0 and a balance of 40 credits: %s", code, out)
	}
	if out, code := command(t, []string{database}, "grant", "--email", "ada@example.com", "--credits", "40", "--note",
		"sorry for the wait"); code != 0 || !strings.Contains(out, "Nothing was granted") {
		t.Errorf("the same grant again: exit status %d, want 0 and nothing granted: %s", code, out)
	}
	if out, code := command(t, []string{database}, "grant", "--email", "ada@example.com", "--credits", "100001", "--note",
		"too much"); code != 2 || !strings.Contains(out, "whole number from 1 to 100,000") {
		t.Errorf("too many credits: exit status %d, want 2 and why in words: %s", code, out)
	}
	v.open("/en/history")
	v.wantBalance("40")
	if !strings.Contains(v.text("main"), "sorry for the wait") {
		t.Errorf("history lacks the reason: %s", v.text("main"))
	}
	if strings.Contains(s.out.String(), "ada@example.com") || strings.Contains(out, "ada@example.com") {
		t.Error("output contains an e-mail address")
	}
}

// A server that receives SIGTERM finishes the running request and exits with status 0.
func TestStopFinishesRunningRequests(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	s := start(t, "DATABASE_URL="+address)
	v := newVisitor(s, "en")
	v.signInAs("ada@example.com")
	db, err := postgres.Open(address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	lock := db.Begin() // blocks the spend below
	if err := lock.Exec(`SELECT 1 FROM users FOR UPDATE`).Error; err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url+"/api/credits/spend",
			strings.NewReader(`{"feature":"job_match"}`))
		if err != nil {
			status <- -1
			return
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := v.client.Do(req)
		if err != nil {
			status <- -2
			return
		}
		defer res.Body.Close()
		status <- res.StatusCode
	}()
	dbtest.Eventually(t, "the spend waits for the lock", func() bool {
		var waiting int64
		err := db.Raw(
			`SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`).Scan(
			&waiting).Error
		return err == nil && waiting == 1
	})
	s.terminate()
	s.waitForOutput("stopping")
	if err := lock.Rollback().Error; err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != http.StatusPaymentRequired {
		t.Errorf("running request: status %d, want 402", got)
	}
	s.stop()
}

// The billing page stays within 5,000 bytes on the wire, and within 60,000 with all its files on a first visit.
func TestBillingPageWeight(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := newVisitor(s, "de")
	v.signIn("#demo-user")
	total := 0
	load := func(path string) string {
		res, text := request(t, v.client, http.MethodGet, s.url+path, "", map[string]string{"Accept-Encoding": "gzip"})
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d, want 200", path, res.StatusCode)
		}
		if path != "/de/billing" && !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control = %q, want immutable", path, res.Header.Get("Cache-Control"))
		}
		t.Logf("%7d bytes %s", len(text), path)
		total += len(text)
		return text
	}
	sent := load("/de/billing")
	if len(sent) > 5_000 {
		t.Errorf("billing page: %d bytes, want at most 5,000", len(sent))
	}
	page, err := gzip.NewReader(strings.NewReader(sent))
	if err != nil {
		t.Fatalf("decompress the page: %v", err)
	}
	doc, err := goquery.NewDocumentFromReader(page)
	if err != nil {
		t.Fatal(err)
	}
	files := doc.Find(`link[rel="stylesheet"], link[rel="preload"], script[src], img[src]`)
	if files.Length() < 4 {
		t.Errorf("page needs %d files, want at least 4: style, font, scripts", files.Length())
	}
	files.Each(func(_ int, e *goquery.Selection) {
		load(e.AttrOr("href", e.AttrOr("src", "")))
	})
	t.Logf("%7d bytes in all", total)
	if total > 60_000 {
		t.Errorf("first visit: %d bytes, want at most 60,000", total)
	}
}
