package postgres_test

import (
	"database/sql"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// PgBouncer has one code for all its refusals. Only that of a further connection passes: then work waits for one of the
// connections that the pool has, or tries again if it has none.
func TestPoolerThatRefusesAConnection(t *testing.T) {
	t.Parallel()
	const full = "no more connections allowed (max_client_conn)"
	for name, c := range map[string]struct {
		text   string
		nth    int // connection that is refused
		served bool
	}{
		"the first":                    {full, 1, true},
		"the second":                   {full, 2, true},
		"the first, for another cause": {"no such database: app", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := postgres.OpenSized(refusing(t, c.nth, c.text), 5, quiet)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = postgres.Close(db) })
			pool, err := db.DB()
			if err != nil {
				t.Fatal(err)
			}
			var holders []*sql.Tx
			for range c.nth - 1 {
				holders = append(holders, begin(t, pool, `SELECT 1`))
			}
			work := make(chan error, 1)
			go func() { work <- db.Exec(`SELECT 1`).Error }()
			for _, holder := range holders {
				dbtest.Eventually(t, "work waits for a connection", func() bool { return pool.Stats().WaitCount > 0 })
				if err := holder.Rollback(); err != nil {
					t.Error(err)
				}
			}
			if err := <-work; (err == nil) != c.served {
				t.Errorf("error = %v, want the work served: %t", err, c.served)
			}
			if n := pool.Stats().MaxOpenConnections; n < 1 || n > 5 {
				t.Errorf("the pool may have %d connections, want 1 to 5", n)
			}
		})
	}
}

// refusing returns the address of a pooler that refuses its nth connection, and serves the others.
func refusing(t *testing.T, nth int, text string) string {
	t.Helper()
	address, err := url.Parse(dbtest.Pooler(t, dbtest.Empty(t)) + "&pgbouncer=true")
	if err != nil {
		t.Fatal(err)
	}
	pooler := address.Host
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for n := 1; ; n++ {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if n == nth {
				refuse(client, text)
				continue
			}
			server, err := net.Dial("tcp", pooler)
			if err != nil { // the client's work fails
				_ = client.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
				}()
			}
		}
	}()
	address.Host = listener.Addr().String()
	return address.String()
}

// refuse answers the start of a connection with an error of PgBouncer.
func refuse(client net.Conn, text string) {
	backend := pgproto3.NewBackend(client, client)
	if _, err := backend.ReceiveStartupMessage(); err == nil {
		backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: text})
		_ = backend.Flush()
	}
	_ = client.Close()
}
