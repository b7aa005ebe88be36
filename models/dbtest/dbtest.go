// Package dbtest gives each test its own PostgreSQL database, copied from a migrated template in tens of milliseconds,
// so that all tests can run in parallel.
//
// The tests of a package share one server, which starts with the first database. TEST_DATABASE_URL, the address of a
// superuser, names a server to use instead; dbtest creates the role "app" and databases there, and Main drops them. The
// command models/dbtest/shared starts one server for many packages.
package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// maxConnections of one test: twenty goroutines and a few more.
const maxConnections = 24

// Main runs the tests of a package, then the after functions, stops the server and exits. Without Main the server ends
// with the process, but its files remain until the next run:
//
//	func TestMain(m *testing.M) { dbtest.Main(m) }
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	for _, end := range after {
		end()
	}
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the test database:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// New returns a migrated database for this test, connected as its owner, who is not a superuser. It is dropped after
// the test.
func New(t testing.TB) *gorm.DB {
	t.Helper()
	address := URL(t)
	db := open(t, address, HangTimeout)
	pool, err := db.DB()
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	addresses.Store(pool, address)
	t.Cleanup(func() { addresses.Delete(pool) })
	return db
}

// WithShortLockTimeout returns a second pool on a database that New made. Its statements fail when they must wait for a
// lock.
func WithShortLockTimeout(t testing.TB, db *gorm.DB) *gorm.DB {
	t.Helper()
	return open(t, URLOf(db), 10*time.Millisecond)
}

// open opens a pool with this lock timeout. The product's own timeouts are seconds, too short for twenty goroutines
// that wait for one row on a slow machine; only a test that hangs reaches HangTimeout.
func open(t testing.TB, address string, lockTimeout time.Duration) *gorm.DB {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("address of the test database: %v", err)
	}
	query := u.Query()
	for name, limit := range map[string]time.Duration{
		"lock_timeout": lockTimeout, "statement_timeout": HangTimeout, "idle_in_transaction_session_timeout": HangTimeout,
	} {
		query.Set(name, fmt.Sprintf("%dms", limit.Milliseconds()))
	}
	u.RawQuery = query.Encode()
	db, err := postgres.Open(u.String(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	t.Cleanup(func() {
		if err := postgres.Close(db); err != nil {
			t.Errorf("close test database: %v", err)
		}
	})
	return db
}

// URL returns the address of a new migrated database for this test.
func URL(t testing.TB) string {
	t.Helper()
	s := server(t)
	if err := s.migrate(); err != nil {
		t.Fatalf("create the template of the test databases: %v", err)
	}
	return create(t, s, s.template())
}

// ServerURL returns the address of a test database for the server's role, which may neither change the ledger and the
// audit log nor create tables.
func ServerURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // Open reports it
	}
	if _, secret := u.User.Password(); secret {
		u.User = url.UserPassword(serverRole, password)
	} else {
		u.User = url.User(serverRole)
	}
	query := u.Query()
	query.Set("pgbouncer", "false")
	u.RawQuery = query.Encode()
	return u.String()
}

// Empty returns the address of a new database for this test, without tables.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, server(t), "template0")
}

var addresses sync.Map // *sql.DB → address, set by New

// URLOf returns the address of a database from New, for a second pool or process; "" for any other.
func URLOf(db *gorm.DB) string {
	pool, err := db.DB()
	if err != nil {
		return ""
	}
	address, _ := addresses.Load(pool)
	text, _ := address.(string)
	return text
}

// User inserts a user without credits.
func User(t testing.TB, db *gorm.DB, email string) models.User {
	t.Helper()
	var u models.User
	err := db.Raw(`INSERT INTO users (email, name, locale) VALUES (@email, 'Test User', 'en') RETURNING *`,
		sql.Named("email", email)).Scan(&u).Error
	if err != nil {
		t.Fatalf("insert test user: %v", err)
	}
	return u
}

// ServiceKey inserts a service key that no well-formed plaintext matches.
func ServiceKey(t testing.TB, db *gorm.DB) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	err := db.Exec(
		`INSERT INTO api_keys (id, name, prefix, key_hash, scopes) VALUES (?, 'Test', 'rmc_test', sha256(?::text::bytea), ARRAY['spend'])`,
		id, id.String()).Error
	if err != nil {
		t.Fatalf("insert test service key: %v", err)
	}
	return id
}

// create copies a database from the template and drops it after the test.
func create(t testing.TB, s *instance, template string) string {
	t.Helper()
	name, err := s.create(t.Context(), template)
	if err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() {
		// The test's context has ended by now.
		if err := s.drop(context.Background(), name); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	return s.address(name)
}

func server(t testing.TB) *instance {
	t.Helper()
	s, err := shared.get()
	if err != nil {
		t.Fatalf("start the test database: %v", err)
	}
	return s
}

// Admin returns the address of a test database for the superuser, who may create roles.
func Admin(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return server(t).superuser(strings.TrimPrefix(u.Path, "/"))
}
