package migrations_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	underLoad  = "00035"                // the first migration that runs beside servers at work
	unreleased = "00037_unreleased.sql" // builds indexes only in databases of unreleased builds
)

var (
	createIndex = regexp.MustCompile(`(?is)\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+(CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(\w+)\s+ON\s+(?:ONLY\s+)?(\w+)`)
	createTable = regexp.MustCompile(`(?is)\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)`)
	dropIndex   = regexp.MustCompile(`(?is)\bDROP\s+INDEX\s+CONCURRENTLY\s+IF\s+EXISTS\s+(\w+)`)
)

// blocking returns the indexes of a migration that would stop writes while they are built, or that a second try could
// not build: one that was interrupted exists and is invalid.
func blocking(migration string) (found []string) {
	up, _, _ := strings.Cut(migration, "-- +goose Down")
	var made, dropped []string
	for _, table := range createTable.FindAllStringSubmatch(up, -1) {
		made = append(made, table[1])
	}
	for _, index := range dropIndex.FindAllStringSubmatch(up, -1) {
		dropped = append(dropped, index[1])
	}
	for _, index := range createIndex.FindAllStringSubmatch(up, -1) {
		concurrently, name, table := index[1] != "", index[2], index[3]
		if !slices.Contains(made, table) && (!concurrently || !slices.Contains(dropped, name)) {
			found = append(found, name)
		}
	}
	return found
}

func TestIndexesAreBuiltConcurrently(t *testing.T) {
	t.Parallel()
	for _, name := range files(t) {
		if name < underLoad || name == unreleased {
			continue
		}
		for _, index := range blocking(read(t, name)) {
			t.Errorf("%s builds %s while writes wait: in a file that begins with '-- +goose NO TRANSACTION', write "+
				"DROP INDEX CONCURRENTLY IF EXISTS %s; CREATE INDEX CONCURRENTLY %s …", name, index, index, index)
		}
	}
	for name, c := range map[string]struct {
		migration string
		want      []string
	}{
		"an index that blocks":            {"CREATE INDEX a ON users (name);", []string{"a"}},
		"a unique index that blocks":      {"create unique index if not exists a on users (name);", []string{"a"}},
		"an index that cannot be retried": {"CREATE INDEX CONCURRENTLY a ON users (name);", []string{"a"}},
		"an index that can be retried": {
			"DROP INDEX CONCURRENTLY IF EXISTS a;\nCREATE UNIQUE INDEX CONCURRENTLY a\n\tON users (name);", nil,
		},
		"an index on a new table":   {"CREATE TABLE letters (id int);\nCREATE INDEX a ON letters (id);", nil},
		"an index of the downgrade": {"-- +goose Up\n-- +goose Down\nCREATE INDEX a ON users (name);", nil},
	} {
		if got := blocking(c.migration); !slices.Equal(got, c.want) {
			t.Errorf("%s: blocking = %v, want %v", name, got, c.want)
		}
	}
}
