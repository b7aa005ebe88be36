// Package dbtest gives each test a PostgreSQL database of its own, copied from a
// migrated template in tens of milliseconds, so that every test runs in parallel
// with all others and none can see what another wrote.
//
// The server starts with the first database asked for and is shared by the tests
// of one package. TEST_DATABASE_URL, the address of a superuser, names a server
// to use instead; it then gets a role "app" and databases that Main removes.
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

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// maxConnections is what one test may use at once: twenty goroutines and some air.
const maxConnections = 24

// Main runs the tests of a package, calls what else must end with them, stops the server and exits. Without it the
// server still ends with the process, but its files stay until another run finds them:
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

// New returns a migrated database of the test's own, connected as the role that
// owns it and is no superuser. It ends with the test.
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

// WithShortLockTimeout returns a second pool on a database that New made. Its statements fail when they must wait for a lock.
func WithShortLockTimeout(t testing.TB, db *gorm.DB) *gorm.DB {
	t.Helper()
	return open(t, URLOf(db), 10*time.Millisecond)
}

// open opens a pool whose connections wait this long for a lock. The product gives up after seconds, so twenty goroutines
// that wait for one row would pass on a fast machine alone; the limits here are those that only a test that hangs reaches.
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

// URL returns the address of a migrated database of the test's own, with nothing connected.
func URL(t testing.TB) string {
	t.Helper()
	s := server(t)
	if err := s.migrate(); err != nil {
		t.Fatalf("make template of the test databases: %v", err)
	}
	return create(t, s, s.template())
}

// ServerURL returns an address of a test's database for the role as which a server works: it may not change what the
// ledger and the audit log hold, nor make tables.
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

// Empty returns the address of a database of the test's own without any table.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, server(t), "template0")
}

var addresses sync.Map // *sql.DB → the address that New opened it with

// URLOf returns the address of a database that New made, for a second pool on it
// or a second process; "" for any other.
func URLOf(db *gorm.DB) string {
	pool, err := db.DB()
	if err != nil {
		return ""
	}
	address, _ := addresses.Load(pool)
	text, _ := address.(string)
	return text
}

// User stores a user who has no credits.
func User(t testing.TB, db *gorm.DB, email string) models.User {
	t.Helper()
	var u models.User
	err := db.Raw(`INSERT INTO users (email, name, locale) VALUES (@email, 'Test User', 'en') RETURNING *`,
		sql.Named("email", email)).Scan(&u).Error
	if err != nil {
		t.Fatalf("store test user: %v", err)
	}
	return u
}

// create copies a database from the template and drops it with the test.
func create(t testing.TB, s *instance, template string) string {
	t.Helper()
	name, err := s.create(t.Context(), template)
	if err != nil {
		t.Fatalf("make test database: %v", err)
	}
	t.Cleanup(func() {
		// Not the test's context: it has ended by now.
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

// Admin returns an address of a test's database for the superuser, who may make roles.
func Admin(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return server(t).superuser(strings.TrimPrefix(u.Path, "/"))
}
