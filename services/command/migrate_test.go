package command

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/config"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// runs calls the program on a database and returns what it prints.
func runs(t *testing.T, database string, args ...string) (string, error) {
	t.Helper()
	var out, log bytes.Buffer
	p := &Program{Version: "test", Stdout: &out, Stderr: &log,
		Variables: config.Variables{"DATABASE_URL": database, "DATA_DIR": t.TempDir(), "LC_ALL": "en"}}
	err := p.Run(context.Background(), args)
	return out.String(), err
}

// The new program's commands that only show something may run beside the previous release: they leave its schema.
func TestCommandsThatReadDoNotMigrate(t *testing.T) {
	t.Parallel()
	database := dbtest.Empty(t)
	version := func() int64 {
		t.Helper()
		c, err := postgres.Inspect(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		return c.Have
	}
	for _, call := range []string{"keys list", "webhooks list", "admins", "relink --user 1"} {
		out, err := runs(t, database, strings.Fields(call)...)
		if !errors.Is(err, postgres.ErrSchema) || !strings.Contains(err.Error(), "credits migrate") {
			t.Errorf("%s on an older schema = %q, %v; want ErrSchema that names credits migrate", call, out, err)
		}
	}
	out, err := runs(t, database, "migrate", "--plan")
	if err != nil || !strings.Contains(out, "00001_users.sql\n00002_credit_transactions.sql\n") {
		t.Errorf("migrate --plan on an empty database = %q, %v; want every migration", out, err)
	}
	if got := version(); got != 0 {
		t.Errorf("schema = %d after commands that read, want 0", got)
	}
	if out, err := runs(t, database, "migrate"); err != nil || version() == 0 {
		t.Errorf("migrate = %q, %v, schema %d; want it migrated", out, err, version())
	}
	if out, err := runs(t, database, "migrate", "--plan"); err != nil || strings.Contains(out, ".sql") {
		t.Errorf("migrate --plan on a migrated database = %q, %v; want no migration", out, err)
	}
	for _, call := range []string{"keys list", "webhooks list", "admins", "relink --user 1"} {
		if out, err := runs(t, database, strings.Fields(call)...); err != nil {
			t.Errorf("%s on a migrated database = %q, %v; want success", call, out, err)
		}
	}
}

// While a release is rolled out, the previous one goes on: its commands work on the newer schema.
func TestCommandsWorkOnANewerSchema(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	if err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`).Error; err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"migrate --plan", "migrate", "keys create --name worker --scope read", "keys list"} {
		if out, err := runs(t, dbtest.URLOf(db), strings.Fields(call)...); err != nil || strings.Contains(out, ".sql") {
			t.Errorf("%s on a newer schema = %q, %v; want success", call, out, err)
		}
	}
}
