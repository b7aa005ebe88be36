package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/migrations"
	"github.com/resume-matcher/credits/models/postgres"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMigrateEightAtOnce(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	var starts sync.WaitGroup
	errs := make(chan error, 8)
	for range 8 {
		starts.Go(func() { errs <- postgres.Migrate(context.Background(), url, quiet) })
	}
	starts.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Errorf("migrate: %v", err)
		}
	}
	db, err := postgres.Open(url, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Close(db)
	if err := postgres.CheckSchema(context.Background(), db); err != nil {
		t.Errorf("schema after migrating: %v", err)
	}
	var applied int64
	if err := db.Raw(`SELECT count(*) FROM goose_db_version WHERE version_id = 1`).Scan(&applied).Error; err != nil ||
		applied != 1 {
		t.Errorf("first migration applied %d times (%v), want once", applied, err)
	}
}

func TestMigrateLogsOneLine(t *testing.T) {
	url := dbtest.Empty(t)
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	if err := postgres.Migrate(context.Background(), url, log); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	var line struct {
		Msg                  string
		From, To, Migrations int64
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("an empty database logged %q, want one line (%v)", out.String(), err)
	}
	if line.Msg != "migrated the database" || line.From != 0 || line.Migrations < 2 || line.To < line.Migrations {
		t.Errorf("logged %+v, want every migration from version 0 on", line)
	}
	out.Reset()
	if err := postgres.Migrate(context.Background(), url, log); err != nil {
		t.Fatalf("migrate again: %v", err)
	}
	if out.Len() > 0 {
		t.Errorf("a migrated database logged %q, want nothing", out.String())
	}
}

func TestMigrateThroughAPooler(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t) + "&pgbouncer=true"
	if err := postgres.Migrate(context.Background(), url, quiet); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	db, err := postgres.Open(url, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Close(db)
	if err := postgres.CheckSchema(context.Background(), db); err != nil {
		t.Errorf("schema: %v", err)
	}
}

func TestSchemaOfAnotherVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, statement string
		fits            bool
	}{
		{"older", `DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`, false},
		{"newer", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`, true},
		{"empty", `DROP TABLE goose_db_version`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := dbtest.New(t)
			if err := db.Exec(c.statement).Error; err != nil {
				t.Fatal(err)
			}
			for name, check := range map[string]func(context.Context, *gorm.DB) error{
				"Migrated": postgres.Migrated, "CheckSchema": postgres.CheckSchema,
			} {
				if err := check(t.Context(), db); (err == nil) != c.fits || err != nil && !errors.Is(err, postgres.ErrSchema) {
					t.Errorf("%s = %v, want ErrSchema: %v", name, err, !c.fits)
				}
			}
		})
	}
}

// The previous release may restart while a newer one is rolled out. It leaves the schema and its rights as they are.
func TestMigrateLeavesANewerSchemaAlone(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	db := open(t, address)
	err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true);
		CREATE TABLE append_only_too (id integer); REVOKE ALL ON append_only_too FROM app_server`).Error
	if err != nil {
		t.Fatal(err)
	}
	log := newWarnings()
	err = postgres.MigrateFor(t.Context(), address, dbtest.ServerURL(address), slog.New(log))
	if err != nil || len(log.seen) != 1 {
		t.Errorf("migrate = %v with %d warnings, want nil and 1", err, len(log.seen))
	}
	var granted bool
	if err := db.Raw(`SELECT has_table_privilege('app_server', 'append_only_too', 'UPDATE')`).Scan(&granted).Error; err != nil ||
		granted {
		t.Errorf("the server's role may update a table of the newer release: %v (%v), want false", granted, err)
	}
}

func TestPendingChangesNothing(t *testing.T) {
	t.Parallel()
	address := dbtest.Empty(t)
	all, err := postgres.Pending(t.Context(), address)
	if err != nil || len(all) != len(names(t)) {
		t.Errorf("pending in an empty database: %d files (%v), want %d", len(all), err, len(names(t)))
	}
	if c := inspect(t, address); c.Have != 0 {
		t.Errorf("schema = %d after the question, want 0", c.Have)
	}
	if some, err := postgres.Pending(t.Context(), older(t, 31)); err != nil || len(some) == 0 ||
		some[0] != "00032_exclusive_holds.sql" {
		t.Errorf("pending at version 31 = %v (%v), want those from 32 on", some, err)
	}
	if none, err := postgres.Pending(t.Context(), dbtest.URL(t)); err != nil || len(none) > 0 {
		t.Errorf("pending in a migrated database = %v (%v), want none", none, err)
	}
}

// names returns the names of all migrations.
func names(t *testing.T) (names []string) {
	t.Helper()
	entries, err := migrations.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
