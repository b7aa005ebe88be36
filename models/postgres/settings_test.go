package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// open connects as the server does.
func TestMain(m *testing.M) { dbtest.Main(m) }

func open(t *testing.T, address string) *gorm.DB {
	t.Helper()
	db, err := postgres.Open(address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	return db
}

// patient returns the address with a lock timeout that only a hang reaches: many replicas that start at once wait for
// each other, and on a loaded machine longer than the default.
func patient(address string) string {
	return address + fmt.Sprintf("&lock_timeout=%dms", dbtest.HangTimeout.Milliseconds())
}

// setDefault changes a default of the test's database, as a host or an operator does.
func setDefault(t *testing.T, address, setting string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, address).Exec(`ALTER DATABASE ` + strings.TrimPrefix(u.Path, "/") + ` SET ` + setting).
		Error; err != nil {
		t.Fatalf("set %s: %v", setting, err)
	}
}

// Hosts and operators may change a database's defaults. None of these changes affects the product's reads and writes.
func TestDefaultsOfTheDatabase(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"datestyle = 'German, DMY'", "datestyle = 'SQL, DMY'", "datestyle = 'Postgres, MDY'", "bytea_output = 'escape'",
		"timezone = 'America/St_Johns'",
		"intervalstyle = 'iso_8601'", "default_transaction_isolation = 'serializable'", "standard_conforming_strings = off",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			direct := dbtest.URL(t)
			setDefault(t, direct, setting)
			for name, address := range map[string]string{"direct": direct,
				"pooled": dbtest.Pooler(t, direct) + "&pgbouncer=true"} {
				db := open(t, address)
				if err := postgres.CheckReading(t.Context(), db); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				u := dbtest.User(t, db, name+"@example.com")
				var again models.User
				if err := db.Where("id = ?", u.ID).Take(&again).Error; err != nil || !again.CreatedAt.Equal(u.CreatedAt) ||
					u.CreatedAt.IsZero() {
					t.Errorf("%s: a user made at %v is read as made at %v: %v", name, u.CreatedAt, again.CreatedAt, err)
				}
				var isolation, text string
				err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
					return errors.Join(tx.Raw(`SHOW transaction_isolation`).Scan(&isolation).Error,
						tx.Raw(`SELECT 'a\b'`).Scan(&text).Error)
				})
				if err != nil || isolation != "read committed" || text != `a\b` {
					t.Errorf("%s: a transaction is %q and reads %q, %v; want read committed and a\\b", name, isolation, text, err)
				}
			}
		})
	}
}

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	direct := dbtest.URL(t)
	pooled := dbtest.Pooler(t, direct) + "&pgbouncer=true"
	for _, address := range []string{direct, pooled} {
		if err := postgres.InspectSettings(t.Context(), address); err != nil {
			t.Errorf("an ordinary database: %v", err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := postgres.CheckReading(canceled, open(t, direct)); !errors.Is(err, context.Canceled) ||
		errors.Is(err, postgres.ErrUnreadable) {
		t.Errorf("a canceled check: error = %v, want canceled alone", err)
	}
	for name, setting := range map[string]string{
		"default_transaction_isolation": "default_transaction_isolation = 'serializable'", // beyond what a pooler passes on
		"default_transaction_read_only": "default_transaction_read_only = on",
	} {
		t.Run(name, func(t *testing.T) {
			direct := dbtest.URL(t)
			setDefault(t, direct, setting)
			err := postgres.InspectSettings(t.Context(), dbtest.Pooler(t, direct)+"&pgbouncer=true")
			var wrong postgres.WrongSettings
			if !errors.As(err, &wrong) || !slices.ContainsFunc(wrong,
				func(s postgres.Setting) bool { return s.Name == name && s.Value != s.Want }) || len(wrong) != 1 {
				t.Errorf("settings = %v, want %s to be named alone", err, name)
			}
		})
	}
}

// The first start stores the settings that a pooler drops as defaults of the server's role; later changes to the
// database do not override them.
func TestPinDefaults(t *testing.T) {
	t.Parallel()
	ask := func(t *testing.T, address, setting string) (value string) {
		t.Helper()
		db, err := postgres.Open(address, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer postgres.Close(db)
		if err := db.Raw(`SELECT current_setting(?)`, setting).Scan(&value).Error; err != nil {
			t.Fatal(err)
		}
		return value
	}
	type defaults map[string]string
	settings := defaults{"default_transaction_isolation": "read committed", "bytea_output": "hex",
		"IntervalStyle": "postgres"}
	for name, c := range map[string]struct {
		server func(owner string) string
		limits defaults
	}{
		"the owner's role, which also migrates": {func(owner string) string { return owner },
			defaults{"lock_timeout": "0", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}},
		"a role of the server's": {dbtest.ServerURL,
			defaults{"lock_timeout": "4s", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "15s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner := dbtest.URL(t)
			pool := dbtest.Pooler(t, c.server(owner)) + "&pgbouncer=true"
			for _, setting := range []string{"default_transaction_isolation = 'serializable'", "bytea_output = 'escape'",
				"intervalstyle = 'iso_8601'"} {
				setDefault(t, owner, setting)
			}
			dbtest.Concurrently(8, func(int) { // as replicas start
				if err := postgres.MigrateFor(t.Context(), patient(owner), pool, quiet); err != nil {
					t.Errorf("migrate: %v", err)
				}
			})
			setDefault(t, owner, "default_transaction_isolation = 'repeatable read'") // later, and with no start after it
			next := dbtest.Pooler(t, c.server(owner)) + "&pgbouncer=true"
			for _, wants := range []defaults{settings, c.limits} {
				for setting, want := range wants {
					if got := ask(t, next, setting); got != want {
						t.Errorf("a statement outside a transaction sees %s = %q, want %q", setting, got, want)
					}
				}
			}
			if err := postgres.InspectSettings(t.Context(), next); err != nil {
				t.Errorf("settings: %v", err)
			}
		})
	}
	t.Run("changes the pooler's own connection at once", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.URL(t)
		setDefault(t, owner, "default_transaction_isolation = 'serializable'")
		pool := dbtest.Pooler(t, owner) + "&pgbouncer=true"
		if got := ask(t, pool, "default_transaction_isolation"); got != "serializable" {
			t.Fatalf("before it is %q, want serializable", got)
		}
		if err := postgres.PinDefaults(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, pool, "default_transaction_isolation"); got != "read committed" {
			t.Errorf("afterwards it is %q, want read committed", got)
		}
	})
	t.Run("does not change the role of a direct connection", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.URL(t)
		if err := postgres.MigrateFor(t.Context(), owner, dbtest.ServerURL(owner), quiet); err != nil {
			t.Fatal(err)
		}
		var n int
		err := open(t, owner).
			Raw(
				`SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()`).Scan(&n).Error
		if err != nil || n != 0 {
			t.Errorf("%d roles have defaults in the database, %v; want none", n, err)
		}
	})
	t.Run("starts without the right to, and says what helps", func(t *testing.T) {
		t.Parallel()
		owner := dbtest.URL(t)
		server := dbtest.ServerURL(owner)
		setDefault(t, owner, "default_transaction_isolation = 'serializable'")
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		// No role may change a role's defaults in a session that only reads.
		if err := open(t, dbtest.Admin(t, owner)).Exec(`ALTER ROLE ` + u.User.Username() + ` IN DATABASE ` +
			strings.TrimPrefix(u.Path, "/") +
			` SET default_transaction_read_only = on`).Error; err != nil {
			t.Fatal(err)
		}
		pool := dbtest.Pooler(t, server) + "&pgbouncer=true"
		if err := postgres.MigrateFor(t.Context(), owner, pool, quiet); err != nil {
			t.Errorf("migrate: %v, want it done without the defaults", err)
		}
		var wrong postgres.WrongSettings
		if err := postgres.InspectSettings(t.Context(), pool); !errors.As(err, &wrong) {
			t.Fatalf("settings = %v, want them to be named", err)
		}
		if !slices.ContainsFunc(wrong, func(s postgres.Setting) bool {
			return strings.HasSuffix(s.Mend, ` SET default_transaction_isolation = 'read committed'`)
		}) {
			t.Fatalf("settings = %+v, want the statement that helps", wrong)
		}
		for _, s := range wrong {
			if err := open(t, dbtest.Admin(t, owner)).Exec(s.Mend).Error; err != nil {
				t.Errorf("%s: %v", s.Mend, err)
			}
		}
		if err := postgres.InspectSettings(t.Context(), dbtest.Pooler(t, server)+"&pgbouncer=true"); err != nil {
			t.Errorf("settings after the statements: %v", err)
		}
	})
}
