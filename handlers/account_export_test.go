package handlers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
)

// Readers that receive nothing of their files occupy no snapshot and no database connection, and block no one.
func TestSlowReadersHoldNothing(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = d.app.Listener(listener) }()
	t.Cleanup(func() { _ = d.app.ShutdownWithTimeout(time.Millisecond) }) // the readers are still there
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
		user := d.user(fmt.Sprintf("slow%d@example.org", i), 0)
		// More than the sockets between us hold: 10 MB.
		for _, statement := range []string{`ALTER TABLE credit_transactions DISABLE TRIGGER USER`,
			fmt.Sprintf(`INSERT INTO credit_transactions (user_id, delta_credits, reason, balance_after, meta)
				SELECT %d, CASE WHEN n %% 2 = 1 THEN 1 ELSE -1 END, 'manual', n %% 2, jsonb_build_object('note', repeat('note ', 600)) FROM generate_series(1, 3000) n`, user.ID),
			`ALTER TABLE credit_transactions ENABLE TRIGGER USER`} {
			if err := d.db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		_, r := ask(d.member(user.ID), "/en/history.csv")
		if r.StatusCode != http.StatusOK || r.ContentLength < 8<<20 {
			t.Fatalf("reader %d: %d with %d bytes", i, r.StatusCode, r.ContentLength)
		}
	}
	dbtest.Eventually(t, "no transaction is open", func() bool {
		var open int
		if err := d.db.Raw(
			`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`).Scan(&open).Error; err != nil {
			t.Fatal(err)
		}
		return open == 0
	})
	other := d.member(d.user("other@example.org", 5).ID)
	for _, path := range []string{"/en/history.csv", "/en/account/export.zip"} {
		if _, r := ask(other, path); r.StatusCode != http.StatusOK {
			t.Errorf("%s beside them: %d, want 200", path, r.StatusCode)
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
		t.Errorf("one byte too many: %v", err)
	}
	here, there := net.Pipe()
	defer there.Close()
	if n, err := s.sendTo(here, time.Minute); n != 10 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if text, err := io.ReadAll(s); string(text) != "0123456789" || err != nil {
		t.Errorf("read %q, %v", text, err)
	}
	s.until = time.Now().Add(-time.Second)
	_, _ = s.Read(make([]byte, 1)) // at the end
	if _, err := here.Write([]byte("x")); err == nil {
		t.Error("read from a closed connection succeeded")
	}
	name := s.file.Name()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}
