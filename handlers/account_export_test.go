package handlers

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// Clients that stop reading their download hold no snapshot and no database connection, and block no other client.
func TestSlowReadersHoldNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = f.app.Listener(listener) }()
	t.Cleanup(func() { _ = f.app.ShutdownWithTimeout(time.Millisecond) }) // the slow readers stay connected
	ask := func(m member, path string) (net.Conn, *http.Response) {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\n\r\n", path, m.cookie)
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn, r
	}
	for i := range 3 {
		user := f.user(fmt.Sprintf("slow%d@example.org", i), 0)
		// 10 MB: more than the socket buffers hold.
		for _, statement := range []string{`ALTER TABLE credit_transactions DISABLE TRIGGER USER`,
			fmt.Sprintf(`INSERT INTO credit_transactions (user_id, delta_credits, reason, balance_after, meta)
				SELECT %d, CASE WHEN n %% 2 = 1 THEN 1 ELSE -1 END, 'manual', n %% 2, jsonb_build_object('note', repeat('note ', 600)) FROM generate_series(1, 3000) n`, user.ID),
			`ALTER TABLE credit_transactions ENABLE TRIGGER USER`} {
			if err := f.db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		_, r := ask(f.member(user.ID), "/en/history.csv")
		if r.StatusCode != http.StatusOK || r.ContentLength < 8<<20 {
			t.Fatalf("reader %d: status %d with %d bytes, want 200 with at least 8 MiB", i, r.StatusCode, r.ContentLength)
		}
	}
	dbtest.Eventually(t, "no transaction is open", func() bool {
		var open int
		if err := f.db.Raw(
			`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`).Scan(&open).Error; err != nil {
			t.Fatal(err)
		}
		return open == 0
	})
	other := f.member(f.user("other@example.org", 5).ID)
	for _, path := range []string{"/en/history.csv", "/en/account/export.zip"} {
		if _, r := ask(other, path); r.StatusCode != http.StatusOK {
			t.Errorf("%s during the slow downloads: status %d, want 200", path, r.StatusCode)
		}
	}
}

func TestSpool(t *testing.T) {
	t.Parallel()
	s, err := newSpool(10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(s, "0123456789"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(s, "x"); fault.Of(err) == nil || fault.Of(err).Problem != fault.ExportTooLarge {
		t.Errorf("write over the limit: %v, want %s", err, fault.ExportTooLarge)
	}
	here, there := net.Pipe()
	defer there.Close()
	if n, err := s.sendTo(here, time.Minute); n != 10 || err != nil {
		t.Errorf("sent %d bytes (%v), want 10", n, err)
	}
	if text, err := io.ReadAll(s); string(text) != "0123456789" || err != nil {
		t.Errorf("read %q (%v), want the ten digits", text, err)
	}
	s.until = time.Now().Add(-time.Second)
	_, _ = s.Read(make([]byte, 1)) // at the end
	if _, err := here.Write([]byte("x")); err == nil {
		t.Error("the connection is open after its deadline, want it closed")
	}
	name := s.file.Name()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat the closed spool's file: %v, want that it does not exist", err)
	}
}

func TestExportAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user, other := f.user("ada@example.com", 500), f.user("bob@example.com", 700)
	if err := f.db.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name) VALUES
		('https://id.example.com', 'a', ?, 'oidc', 'ada@example.com', true, '=1+1'), ('https://id.example.com', 'b', ?, 'oidc', 'bob@example.com', true, 'Bob')`,
		user.ID, other.ID).Error; err != nil {
		t.Fatal(err)
	}
	if err := f.db.Exec(
		`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
		VALUES (gen_random_uuid(), ?, 1, 500, 123456, 'eur', 'de', 'k')`, user.ID).Error; err != nil {
		t.Fatal(err)
	}
	if err := f.db.Exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, next_attempt_at, created_at, updated_at)
		SELECT gen_random_uuid(), id, 'k', 4200, '', now(), now(), now() FROM purchases`).Error; err != nil {
		t.Fatal(err)
	}
	ada := f.member(user.ID)
	for locale, comma := range map[string]rune{"en": ',', "de": ';'} {
		r := ada.call("GET", "/"+locale+"/account/export.zip", "", "Cookie: "+ada.cookie)
		files := unzip(t, r)
		if len(files) != 24 || r.header.Get("Content-Type") != "application/zip" {
			t.Fatalf("%s: status %d with %d files, want 200 with 24", locale, r.status, len(files))
		}
		for name, text := range files {
			if strings.Contains(text, "bob") || strings.Contains(text, "Bob") ||
				strings.Contains(text, f.handler.Sessions.rows.KeyHash(strings.TrimPrefix(ada.cookie, "session="))) ||
				strings.Contains(text, "MISSING") || strings.Contains(text, "account.export") {
				t.Errorf("%s: %s has another user's data, a secret or a missing text: %s", locale, name, text)
			}
			if strings.HasSuffix(name, ".json") && !json.Valid([]byte(text)) {
				t.Errorf("%s: %s is not JSON: %s", locale, name, text)
			}
			if strings.HasSuffix(name, ".csv") && !strings.HasPrefix(text, "\uFEFF") {
				t.Errorf("%s: %s has no byte order mark", locale, name)
			}
		}
		table := csv.NewReader(strings.NewReader(files["csv/purchases.csv"]))
		table.Comma = comma
		rows, err := table.ReadAll()
		if want := map[string]string{"en": "1234.56", "de": "1234,56"}[locale]; err != nil || len(rows) != 2 ||
			!slices.Contains(rows[1], want) {
			t.Errorf("%s: purchases %v (%v), want %s", locale, rows, err, want)
		}
		if !strings.Contains(files["json/refund-requests.json"], `"amountCents":4200`) {
			t.Errorf("%s: the refund request is missing: %s", locale, files["json/refund-requests.json"])
		}
		if !strings.Contains(files["csv/sign-ins.csv"], "'=1+1") ||
			!strings.Contains(files["json/transactions.json"], `"deltaCredits":500`) ||
			!strings.Contains(files["csv/transactions.csv"], "500") ||
			!strings.Contains(files["json/profile.json"], "ada@example.com") {
			t.Errorf("%s: the sign-ins, transactions or profile are incomplete: %v", locale, files)
		}
	}
	t.Run("refuses a concurrent second export", func(t *testing.T) {
		open, err := f.handler.Ledger.Export(t.Context(), user.ID, ledger.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		r := ada.call("GET", "/en/account/export.zip", "", "Cookie: "+ada.cookie)
		if r.status != 429 || r.header.Get(fiber.HeaderRetryAfter) == "" {
			t.Errorf("during an export: status %d, Retry-After %q, want 429 and seconds", r.status,
				r.header.Get(fiber.HeaderRetryAfter))
		}
		open.Close()
		if r := ada.call("GET", "/en/account/export.zip", "", "Cookie: "+ada.cookie); r.status != 200 {
			t.Errorf("after the export: status %d, want 200", r.status)
		}
	})
	if r := f.call("GET", "/en/account/export.zip", ""); r.status != 303 {
		t.Errorf("without a session: status %d, want 303", r.status)
	}
}

func unzip(t *testing.T, r reply) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader([]byte(r.body)), int64(len(r.body)))
	if err != nil {
		t.Fatalf("%d: %v", r.status, err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}
