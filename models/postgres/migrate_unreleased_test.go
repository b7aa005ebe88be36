package postgres_test

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/migrations"
	"github.com/resume-matcher/credits/models/postgres"
)

// Unreleased builds made databases with an earlier form of migration 12, or applied some migrations before lower ones.
// Migrate brings each to the schema of a new database.
func TestDatabasesOfUnreleasedBuilds(t *testing.T) {
	t.Parallel()
	earlier, err := os.ReadFile("testdata/00012_holds_of_3270c32.sql")
	if err != nil {
		t.Fatal(err)
	}
	for build, c := range map[string]struct {
		upTo, then int64
		holds      []byte // migration 12; nil: as it landed
	}{
		"3270c32": {13, 0, earlier}, "b8439ec": {14, 16, nil}, "7af7441": {17, 20, nil},
	} {
		t.Run(build, func(t *testing.T) {
			t.Parallel()
			address := dbtest.Empty(t)
			files := fstest.MapFS{}
			for _, name := range names(t) {
				text, err := migrations.Files.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if name == "00012_holds.sql" && c.holds != nil {
					text = c.holds
				}
				files[name] = &fstest.MapFile{Data: text}
			}
			provider, err := goose.NewProvider(goose.DialectPostgres, connect(t, address), files,
				goose.WithDisableGlobalRegistry(true))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.UpTo(t.Context(), c.upTo); err != nil {
				t.Fatal(err)
			}
			if c.then > 0 {
				if _, err := provider.ApplyVersion(t.Context(), c.then, true); err != nil {
					t.Fatal(err)
				}
			}
			if err := postgres.Migrate(t.Context(), address, quiet); err != nil {
				t.Fatalf("migrate: %v", err)
			}
			if err := postgres.CheckSchema(t.Context(), open(t, address)); err != nil {
				t.Errorf("after migrating: %v", err)
			}
		})
	}
}
