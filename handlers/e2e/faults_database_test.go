package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/localpg"
)

const faultUsers = 20

// startPostgres starts a database server that syncs to disk, as in production.
func startPostgres(t testing.TB, o localpg.Options) *localpg.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = workDir(t)
	}
	server, err := localpg.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	return server
}

func migrate(t testing.TB, address string) {
	t.Helper()
	err := postgres.MigrateFor(context.Background(), address, dbtest.ServerURL(address), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
}

// migrateWith lets an older release migrate a database.
func migrateWith(tr *trial, program, address string) {
	tr.Helper()
	cmd := exec.Command(program, "migrate")
	cmd.Env = withServerRole((&fixture{url: address}).env())
	if out, err := cmd.CombinedOutput(); err != nil {
		tr.Fatalf("migrate with an older release: %v\n%s", err, out)
	}
}

// openDatabase returns a pool that ends with the trial. It may hold locks for long.
func openDatabase(tr *trial, address string) *gorm.DB {
	tr.Helper()
	db, err := postgres.Open(address+"&idle_in_transaction_session_timeout=0&statement_timeout=0&lock_timeout=0",
		slog.New(slog.DiscardHandler))
	tr.try(err)
	tr.Cleanup(func() { postgres.Close(db) })
	return db
}

// newDurable migrates a database of its own server and returns a fixture in it.
func newDurable(tr *trial, address string) *fixture {
	tr.Helper()
	migrate(tr, address)
	return fillFixture(tr, openDatabase(tr, address), address, faultUsers)
}

// fixture returns a fixture in a new database of the shared server.
func (tr *trial) fixture() *fixture {
	tr.Helper()
	address := tr.database("app")
	return fillFixture(tr, openDatabase(tr, address), address, faultUsers)
}

// database copies a database of the shared server and returns the copy's address.
func (tr *trial) database(template string) string {
	tr.Helper()
	name := fmt.Sprintf("app_%d", loads.Add(1))
	err := openDatabase(tr, tr.server.AdminURL("postgres")).Exec(
		`CREATE DATABASE ` + name + ` TEMPLATE ` + template + ` OWNER app`).Error
	tr.try(err)
	return tr.server.URLOf(name)
}

// superuser returns the superuser's address of a database of the shared server.
func (tr *trial) superuser(address string) string {
	return tr.server.AdminURL(strings.TrimPrefix(nameOf(tr, address), "/"))
}

// nameOf returns the path of an address: a slash and the database's name.
func nameOf(tr *trial, address string) string {
	u, err := url.Parse(address)
	tr.try(err)
	return u.Path
}

// socketOf returns the directory of the socket in an address.
func socketOf(tr *trial, address string) string {
	u, err := url.Parse(address)
	tr.try(err)
	return u.Query().Get("host")
}

// catalogue describes the schema of a database.
func catalogue(tr *trial, db *gorm.DB) string {
	tr.Helper()
	pool, err := db.DB()
	tr.try(err)
	lines, err := postgres.Catalogue(tr.Context(), pool)
	tr.try(err)
	return strings.Join(lines, "\n")
}
