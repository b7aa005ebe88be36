package postgres_test

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

func inspect(t *testing.T, address string) postgres.Connection {
	t.Helper()
	c, err := postgres.Inspect(t.Context(), address)
	if err != nil {
		t.Fatalf("inspect: %v", err)
	}
	return c
}

func TestInspect(t *testing.T) {
	t.Parallel()
	direct := dbtest.URL(t)
	pooled := dbtest.Pooler(t, direct)
	t.Run("a direct connection", func(t *testing.T) {
		c := inspect(t, direct)
		if c.Version < postgres.OldestPostgres || c.Version > 99 || c.Have == 0 || c.Have != c.Want || c.Pooled() ||
			c.Encrypted {
			t.Errorf("a migrated database on this machine = %+v", c)
		}
	})
	t.Run("a pooler that its address does not show", func(t *testing.T) {
		for range 5 {
			if c := inspect(t, pooled); !c.Shared || c.Named || !c.Remote.IsLoopback() {
				t.Errorf("the pooler = %+v, want one that is seen", c)
			}
		}
	})
	t.Run("a pooler that its address shows", func(t *testing.T) {
		if c := inspect(t, direct+"&pgbouncer=true"); c.Shared || !c.Named || !c.Pooled() {
			t.Errorf("a direct connection that says it is pooled = %+v", c)
		}
	})
	t.Run("a database that was never migrated", func(t *testing.T) {
		if c := inspect(t, dbtest.Empty(t)); c.Have != 0 || c.Want == 0 {
			t.Errorf("schema = %d of %d, want none", c.Have, c.Want)
		}
	})
	t.Run("the pooler carries the product", func(t *testing.T) {
		db, err := postgres.Open(pooled+"&pgbouncer=true", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { postgres.Close(db) })
		if err := postgres.CheckSchema(t.Context(), db); err != nil {
			t.Errorf("check the schema through the pooler: %v", err)
		}
	})
}

func TestSameDatabase(t *testing.T) {
	t.Parallel()
	direct, other := dbtest.URL(t), dbtest.Empty(t)
	pooled := dbtest.Pooler(t, direct)
	for _, c := range []struct {
		name string
		a, b string
		want bool
	}{
		{"an address and itself", direct, direct, true},
		{"an address and its pooler", direct, pooled, true},
		{"a pooler twice", pooled, pooled, true},
		{"two databases of one server", other, direct, false},
		{"a pooler of another database", other, pooled, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			same, err := postgres.SameDatabase(t.Context(), c.a, c.b)
			if err != nil || same != c.want {
				t.Errorf("same = %v, %v; want %v", same, err, c.want)
			}
		})
	}
}

func TestRefusalOf(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unused := closed.Addr().String()
	closed.Close()
	direct, err := url.Parse(dbtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	missing := *direct
	missing.Path = "/nowhere"
	plain, err := url.Parse(dbtest.Pooler(t, direct.String()))
	if err != nil {
		t.Fatal(err)
	}
	plain.RawQuery = "sslmode=require"
	for _, c := range []struct {
		name, address string
		want          postgres.Refusal
	}{
		{"no server listens", "postgres://app:hunter2@" + unused + "/app?sslmode=disable", postgres.RefusedAway},
		{"no such database", missing.String(), postgres.RefusedDatabase},
		{"no TLS", plain.String(), postgres.RefusedTLS},
		{"no address", "mysql://app@localhost/app", postgres.RefusedOther},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := postgres.Inspect(context.Background(), c.address)
			if got := postgres.RefusalOf(err); err == nil || got != c.want {
				t.Errorf("refusal = %q of %v, want %q", got, err, c.want)
			}
		})
	}
}

// The texts are those of PgBouncer 1.18.
func TestRefusalOfPgBouncer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]postgres.Refusal{
		`password authentication failed for user "app"`: postgres.RefusedLogin, // there, or at the server behind it
		"SASL authentication failed":                    postgres.RefusedLogin,
		"no such user: app":                             postgres.RefusedLogin,
		"no such database: app":                         postgres.RefusedDatabase,
		"server login has been failing, try again later (server_login_retry)": postgres.RefusedOther,
		`unsupported startup parameter: statement_timeout`:                    postgres.RefusedOther,
	} {
		if got := postgres.RefusalOf(&pgconn.PgError{Code: "08P01", Message: text}); got != want {
			t.Errorf("refusal = %q of %q, want %q", got, text, want)
		}
	}
}
