package e2e

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/localpg"
)

// While the database is down, pages and API answer 503; when it is back, the server recovers without a restart.
func TestServerSurvivesLosingTheDatabase(t *testing.T) {
	t.Parallel()
	dir := workDir(t)
	database := func() *localpg.Server {
		server, err := localpg.Start(context.Background(),
			localpg.Options{Dir: dir, Unsafe: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	server := database()
	s := start(t, "DATABASE_URL="+server.URL())
	v := newVisitor(s, "de")
	v.signIn("#demo-user")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	v.locale = "en" // the error page must stay German
	v.open("/de/billing")
	if again := v.find("#error-again").AttrOr("href", ""); again != "/de/billing" {
		t.Errorf("retry link = %q, want the same page", again)
	}
	if v.status != http.StatusServiceUnavailable || !strings.Contains(v.doc.Text(), "req_") ||
		v.doc.Find("html").AttrOr("lang", "") != "de" {
		t.Errorf("page without a database: status %d in %q, want 503 in German with the request id", v.status,
			v.doc.Find("html").AttrOr("lang", ""))
	}
	if status, r, _, header := v.call("POST", "/api/credits/spend", `{"feature":"job_match"}`, nil); status != 503 ||
		r.Error.Code != "UNAVAILABLE" || header.Get("Retry-After") == "" {
		t.Errorf("API without a database: status %d %s, want 503 UNAVAILABLE with Retry-After", status, r.Error.Code)
	}
	if res, _ := request(t, v.client, "GET", s.url+"/readyz", "", nil); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz without a database: status %d, want 503", res.StatusCode)
	}
	if res, _ := request(t, v.client, "GET", s.url+"/healthz", "", nil); res.StatusCode != http.StatusOK {
		t.Errorf("/healthz without a database: status %d, want 200", res.StatusCode)
	}
	server = database()
	t.Cleanup(func() { server.Stop() })
	dbtest.Eventually(t, "the page recovers", func() bool {
		v.open("/de/billing")
		return v.status == http.StatusOK
	})
	v.wantBalance("0")
}

// Server errors have complete pages, too: a rate limit, a missing table, and a database that is down.
func TestServerErrorStates(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Options{Dir: workDir(t), Unsafe: true,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, "DATABASE_URL="+server.URL())
	visitors := map[string]*visitor{"en": newVisitor(s, "en"), "de": newVisitor(s, "de")}
	db, err := postgres.Open(server.URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	show := func(st pageState, seen view) {
		for locale, v := range visitors {
			v.showState(st, strings.NewReplacer())
			if locale != seen.locale && !dbtest.Full() {
				continue
			}
			b := newBrowser(t, s, view{locale, seen.width, seen.height})
			b.expectServerErrors = true
			b.copySession(v)
			b.showState(st, strings.NewReplacer())
		}
	}
	exec := func(statement string) {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range visitors {
		v.signInAs("ada@example.com")
	}
	exec(`INSERT INTO rate_windows (subject, minute, taken, granted, ends_at)
		SELECT 'account:user:' || id, begins, 30, 1, begins + interval '1 minute' FROM users,
			generate_series(date_trunc('minute', now()), now() + interval '1 hour', interval '1 minute') begins`)
	show(pageState{name: "error-429", path: "/account", status: http.StatusTooManyRequests, button: "#profile-save",
		typed: []string{"name", hostileText}}, view{"de", 375, 812})
	for locale, text := range map[string]string{"en": "Please wait", "de": "warten Sie"} {
		if v := visitors[locale]; !strings.Contains(v.text("main"), text) ||
			v.find("#error-resend").Closest("form").Find("[name=name]").AttrOr("value", "") != hostileText {
			t.Errorf("429 page = %q, want %q and the form to resend", v.text("main"), text)
		}
	}
	exec(`ALTER TABLE feature_prices RENAME TO lost`)
	postgres.Close(db)
	show(pageState{name: "error-500", path: "/billing", status: http.StatusInternalServerError}, view{"en", 1280, 900})
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	show(pageState{name: "error-503", path: "/billing", status: http.StatusServiceUnavailable}, view{"de", 375, 812})
}
