package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
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
		serving         bool // whether a replica that is already serving may go on
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
			if err := postgres.CheckSchema(context.Background(), db); !errors.Is(err, postgres.ErrSchema) {
				t.Errorf("CheckSchema = %v, want ErrSchema", err)
			}
			if err := postgres.Migrated(context.Background(), db); (err == nil) != c.serving {
				t.Errorf("Migrated = %v, want an error: %v", err, !c.serving)
			}
		})
	}
	t.Run("newer refuses to migrate", func(t *testing.T) {
		url := dbtest.URL(t)
		db, err := postgres.Open(url, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer postgres.Close(db)
		if err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`).Error; err != nil {
			t.Fatal(err)
		}
		if err := postgres.Migrate(context.Background(), url, quiet); err == nil {
			t.Error("migrate accepted a schema from the future")
		}
	})
}
