package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/migrations"
)

// ErrSchema says that the database's schema does not fit this binary.
var ErrSchema = errors.New("the database's schema does not fit this version of the program")

// Migrated checks that every migration of this binary has been applied. A newer schema passes: while a release is
// rolled out, servers of the previous one work on it.
// Errors: ErrSchema.
func Migrated(ctx context.Context, db *gorm.DB) error {
	return withVersions(ctx, db, func(context.Context, *sql.DB, int64) error { return nil })
}

// CheckSchema is Migrated and, at this binary's own version, compares the catalogue too: migrations that were edited
// and changes by hand leave the version as it is.
// Errors: ErrSchema, which names what is missing or changed.
func CheckSchema(ctx context.Context, db *gorm.DB) error { return withVersions(ctx, db, compare) }

// SchemaCheck is CheckSchema for frequent calls: a comparison of the catalogue costs the database some 15 ms, so its
// result counts for a minute.
type SchemaCheck struct {
	DB  *gorm.DB
	Now func() time.Time

	mu       sync.Mutex
	compared time.Time
	result   error
}

// Run is CheckSchema.
func (s *SchemaCheck) Run(ctx context.Context) error {
	return withVersions(ctx, s.DB, func(ctx context.Context, pool *sql.DB, version int64) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		now := s.Now()
		if now.Sub(s.compared) < time.Minute {
			return s.result
		}
		result := compare(ctx, pool, version)
		if result == nil || errors.Is(result, ErrSchema) {
			s.compared, s.result = now, result
		}
		return result
	})
}

// compare compares the catalogue with that of this binary's migrations.
func compare(ctx context.Context, pool *sql.DB, version int64) error {
	d, err := differences(ctx, pool)
	if err == nil && d.Broken() != "" {
		err = fmt.Errorf("%w: it is at version %d, but not as its migrations make it; %s", ErrSchema, version, d.Broken())
	}
	return err
}

// withVersions runs same if the schema has this binary's version.
// Errors: ErrSchema if it is older.
func withVersions(
	ctx context.Context, db *gorm.DB, same func(ctx context.Context, pool *sql.DB, version int64) error,
) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	have, want, err := versions(ctx, pool)
	switch {
	case err != nil:
		return err
	case have < want:
		return fmt.Errorf("%w: it is at version %d, this program needs %d; run 'credits migrate'", ErrSchema, have, want)
	case have == want:
		return same(ctx, pool, have)
	}
	return nil
}

// Pending returns the files of the migrations that Migrate would apply at address, in their order. It changes nothing.
func Pending(ctx context.Context, address string) (files []string, err error) {
	cfg, _, err := connConfig(address)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	applied, err := appliedVersions(ctx, db)
	if err != nil {
		return nil, err
	}
	for _, name := range migrationFiles() {
		if version, _ := goose.NumericComponent(name); !slices.Contains(applied, version) {
			files = append(files, name)
		}
	}
	return files, nil
}

// versions returns the newest version that was applied to the database, and this binary's.
func versions(ctx context.Context, db *sql.DB) (have, want int64, err error) {
	applied, err := appliedVersions(ctx, db)
	if err != nil {
		return 0, 0, err
	}
	return slices.Max(append(applied, 0)), SchemaVersion(), nil
}

func appliedVersions(ctx context.Context, db *sql.DB) (applied []int64, err error) {
	rows, err := db.QueryContext(ctx, `SELECT version_id FROM goose_db_version WHERE is_applied`)
	if sqlState(err) == "42P01" { // undefined_table: never migrated
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the schema's version: %w", err)
	}
	defer func() { _ = rows.Close() }() // Err reports what it would
	for rows.Next() {
		var version int64
		if err := rows.Scan(&version); err != nil {
			return nil, fmt.Errorf("read the schema's version: %w", err)
		}
		applied = append(applied, version)
	}
	return applied, rows.Err()
}

// SchemaVersion returns the version of the schema that this binary needs.
func SchemaVersion() int64 {
	files := migrationFiles()
	version, _ := goose.NumericComponent(files[len(files)-1]) // a test reads every name
	return version
}

// migrationFiles returns the names of the migrations, in their order.
func migrationFiles() []string {
	names, _ := fs.Glob(migrations.Files, "*.sql") // the pattern is a literal and cannot be malformed
	return names
}
