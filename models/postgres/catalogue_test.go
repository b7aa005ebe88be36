package postgres_test

import (
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/migrations"
	"github.com/resume-matcher/credits/models/postgres"
)

var golden = flag.Bool("golden", false, "rewrite models/migrations/catalogue.txt")

func TestCatalogueIsWhatTheMigrationsMake(t *testing.T) {
	t.Parallel()
	lines, err := postgres.Catalogue(t.Context(), connect(t, dbtest.URL(t)))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n") + "\n"
	if *golden {
		if err := os.WriteFile("../migrations/catalogue.txt", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != migrations.Catalogue {
		t.Errorf("migrations/catalogue.txt is stale; renew it: go test ./models/postgres -run %s -golden", t.Name())
	}
}

func TestCheckSchemaComparesTheCatalogue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statement string
		want      postgres.Differences
	}{
		"nothing": {`SELECT`, postgres.Differences{}},
		"a column": {`ALTER TABLE holds DROP COLUMN named`, postgres.Differences{
			Missing: []string{"column holds.named", "index holds_named"}}},
		"a type": {`ALTER TABLE sessions ALTER COLUMN device TYPE varchar(40)`, postgres.Differences{
			Changed: []string{"column sessions.device", "constraint sessions.sessions_device_short"}}},
		"a default":    {`ALTER TABLE holds ALTER COLUMN request_hash SET DEFAULT '-'`, postgres.Differences{Changed: []string{"column holds.request_hash"}}},
		"a null":       {`ALTER TABLE holds ALTER COLUMN request_hash DROP NOT NULL`, postgres.Differences{Changed: []string{"column holds.request_hash"}}},
		"a constraint": {`ALTER TABLE users DROP CONSTRAINT users_credits_held_not_negative`, postgres.Differences{Missing: []string{"constraint users.users_credits_held_not_negative"}}},
		"an index":     {`DROP INDEX holds_named; CREATE INDEX holds_named ON holds (named)`, postgres.Differences{Changed: []string{"index holds_named"}}},
		"a trigger":    {`ALTER TABLE users DISABLE TRIGGER users_deletion_is_final`, postgres.Differences{Changed: []string{"trigger users.users_deletion_is_final"}}},
		"a function": {`CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
			postgres.Differences{Changed: []string{"function append_only()"}}},
		"a table of the operator's own": {`CREATE TABLE notes (id integer PRIMARY KEY)`, postgres.Differences{
			Extra: []string{"column notes.id", "constraint notes.notes_pkey", "index notes_pkey", "table notes"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := dbtest.URL(t)
			db := open(t, address)
			if err := db.Exec(c.statement).Error; err != nil {
				t.Fatal(err)
			}
			got := inspect(t, address).Schema
			if !slices.Equal(got.Missing, c.want.Missing) || !slices.Equal(got.Changed, c.want.Changed) ||
				!slices.Equal(got.Extra, c.want.Extra) {
				t.Errorf("differences = %+v, want %+v", got, c.want)
			}
			err := postgres.CheckSchema(t.Context(), db)
			broken := c.want.Broken()
			if (err != nil) != (broken != "") || err != nil && !strings.Contains(err.Error(), broken) {
				t.Errorf("CheckSchema = %v, want an error: %q", err, broken)
			}
			if err := postgres.Migrated(t.Context(), db); err != nil {
				t.Errorf("Migrated = %v, want nil: the version is this binary's", err)
			}
		})
	}
}

func TestSchemaCheckComparesOnceAMinute(t *testing.T) {
	t.Parallel()
	db, now := open(t, dbtest.URL(t)), time.Now()
	check := &postgres.SchemaCheck{DB: db, Now: func() time.Time { return now }}
	for _, step := range []struct {
		name, statement string
		later           time.Duration
		broken          bool
	}{
		{"as migrated", `SELECT`, 0, false},
		{"broken a moment ago", `DROP INDEX holds_named`, 59 * time.Second, false},
		{"broken a minute ago", `SELECT`, time.Second, true},
		{"mended a moment ago", `CREATE UNIQUE INDEX holds_named ON holds (named) WHERE named IS NOT NULL`, 59 * time.Second, true},
		{"mended a minute ago", `SELECT`, time.Second, false},
		{"of an older version", `DELETE FROM goose_db_version WHERE version_id > 34`, 0, true},
	} {
		if err := db.Exec(step.statement).Error; err != nil {
			t.Fatal(err)
		}
		now = now.Add(step.later)
		if err := check.Run(t.Context()); errors.Is(err, postgres.ErrSchema) != step.broken {
			t.Errorf("a schema %s: %v, want ErrSchema: %v", step.name, err, step.broken)
		}
	}
}
