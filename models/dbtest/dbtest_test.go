package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/localpg"
)

func TestMain(m *testing.M) { Main(m) }

func text(t testing.TB, db *gorm.DB, query string) string {
	t.Helper()
	var got string
	if err := db.Raw(query).Scan(&got).Error; err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return got
}

func TestNewGivesEachOfManyParallelTestsADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	var tests sync.WaitGroup
	names := make([]string, 30)
	for i := range names {
		tests.Add(1)
		t.Run(fmt.Sprintf("test %d", i), func(t *testing.T) {
			defer tests.Done()
			t.Parallel()
			db := New(t)
			names[i] = text(t, db, `SELECT current_database()`)
			u := User(t, db, "ada@example.com") // unique, so a shared database refuses the second
			if u.ID == 0 || u.Email != "ada@example.com" || u.CreditsBalance != 0 {
				t.Errorf("User = %+v", u)
			}
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if err := db.Exec(`SELECT pg_sleep(0.01)`).Error; err != nil {
						t.Errorf("one of twenty at once: %v", err)
					}
				})
			}
			all.Wait()
		})
	}
	t.Cleanup(func() {
		tests.Wait()
		seen := map[string]bool{}
		for _, name := range names {
			if name == "" || seen[name] {
				t.Errorf("database %q does not belong to exactly one test", name)
			}
			seen[name] = true
		}
	})
}

func TestNewIsMigratedAndNotSuperuser(t *testing.T) {
	t.Parallel()
	db := New(t)
	if err := postgres.CheckSchema(t.Context(), db); err != nil {
		t.Errorf("schema: %v", err)
	}
	if got := text(t, db,
		`SELECT current_user || ' ' || rolsuper::text FROM pg_roles WHERE rolname = current_user`); got != "app false" {
		t.Errorf("connected as %q, want app without superuser's rights", got)
	}
}

func TestURLOfOpensTheSameDatabase(t *testing.T) {
	t.Parallel()
	db := New(t)
	second, err := postgres.Open(URLOf(db.WithContext(t.Context())), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = postgres.Close(second) }()
	if got, want := text(t, second, `SELECT current_database()`), text(t, db, `SELECT current_database()`); got != want {
		t.Errorf("URLOf leads to %s, want %s", got, want)
	}
	if got := URLOf(second); got != "" {
		t.Errorf("URLOf a database that New did not make = %q", got)
	}
}

func TestEmptyHasNoTablesAndCanBeMigrated(t *testing.T) {
	t.Parallel()
	address := Empty(t)
	db, err := postgres.Open(address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = postgres.Close(db) }()
	if got := text(t, db, `SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'`); got != "0" {
		t.Errorf("%s tables, want none", got)
	}
	if err := postgres.Migrate(t.Context(), address, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("Migrate: %v", err)
	}
}

func TestDatabasesEndWithTheirTestEvenWhenInUse(t *testing.T) {
	t.Parallel()
	var name string
	var left *gorm.DB
	t.Run("a test that leaves a connection open", func(t *testing.T) {
		db := New(t)
		name = text(t, db, `SELECT current_database()`)
		var err error
		if left, err = postgres.Open(URLOf(db), slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		text(t, left, `SELECT 'in use'`)
	})
	defer func() { _ = postgres.Close(left) }()
	var found int
	if err := server(t).admin.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_database WHERE datname = $1`, name).
		Scan(&found); err != nil {
		t.Fatal(err)
	}
	if found != 0 {
		t.Errorf("database %s is still there", name)
	}
}

// Processes on one given server must not interfere with each other, with templates of their own or with that of Share.
func TestServerOfAnotherIsSharedAndLeftClean(t *testing.T) {
	t.Parallel()
	other, err := localpg.Start(t.Context(), localpg.Options{Temporary: true, Unsafe: true,
		BinDir: os.Getenv("POSTGRES_BIN_DIR")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := other.Stop(); err != nil {
			t.Error(err)
		}
	})
	address := other.AdminURL("postgres")
	admin, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	for _, statement := range []string{`DROP DATABASE app`, `DROP ROLE app`} { // as on a fresh server
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	useTwice := func(template string) {
		t.Helper()
		Concurrently(2, func(int) {
			if err := useServer(t.Context(), address, template); err != nil {
				t.Errorf("with the template %q: %v", template, err)
			}
		})
	}
	useTwice("")
	owner, err := begin(t.Context(), address, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.migrate(); err != nil {
		t.Fatal(err)
	}
	useTwice(owner.template())
	if err := owner.stop(t.Context()); err != nil {
		t.Error(err)
	}
	var left int
	if err := admin.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_database WHERE datname ~ '^(t|tmpl)_'`).
		Scan(&left); err != nil || left != 0 {
		t.Errorf("%d databases left behind, %v", left, err)
	}
}

// useServer acts as another process that runs one test on a given server, with the template of Share if it is given.
func useServer(ctx context.Context, address, template string) (err error) {
	s, err := begin(ctx, address, template)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	if err := s.migrate(); err != nil {
		return err
	}
	name, err := s.create(ctx, s.template())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.drop(ctx, name)) }()
	db, err := postgres.Open(s.address(name), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(postgres.CheckSchema(ctx, db), postgres.Close(db))
}

func TestUnreadableAddressIsNotPrinted(t *testing.T) {
	t.Parallel()
	_, err := begin(t.Context(), "postgres://postgres:secret%zz@localhost/postgres", "")
	if err == nil || err.Error() != "TEST_DATABASE_URL cannot be read" {
		t.Errorf("begin = %v", err)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		URL(b)
	}
}
