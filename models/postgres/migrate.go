package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/migrations"
)

// ErrSchema says that the database has another schema version than this binary.
var ErrSchema = errors.New("the database's schema does not fit this version of the program")

// Migrate brings the database at url to this binary's schema, and logs one line if it applied any migration. Of
// concurrent processes one applies, the others wait.
//
// Locks: goose's: a session lock on a direct connection, a row through a pooler.
// Errors: ErrSchema when the database is newer than this binary.
func Migrate(ctx context.Context, url string, log *slog.Logger) (err error) {
	cfg, pooled, err := connConfig(url)
	if err != nil {
		return err
	}
	for _, limit := range []string{"lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"} {
		delete(cfg.RuntimeParams, limit) // migrations may be slow
	}
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(db, pooled)
	if err != nil {
		return err
	}
	from, _, err := versions(ctx, db)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	logMigration(ctx, log, from, applied)
	return checkVersion(ctx, db)
}

// logMigration logs one line for all migrations that this process applied, if any.
func logMigration(ctx context.Context, log *slog.Logger, from int64, applied []*goose.MigrationResult) {
	if len(applied) == 0 {
		return
	}
	var took time.Duration
	for _, m := range applied {
		took += m.Duration
	}
	to := applied[len(applied)-1].Source.Version
	log.InfoContext(ctx, "migrated the database", "from", from, "to", to, "migrations", len(applied), "ms",
		took.Milliseconds())
}

func newProvider(db *sql.DB, pooled bool) (*goose.Provider, error) {
	locker := goose.WithDisableGlobalRegistry(true)
	if pooled {
		rows, err := lock.NewPostgresTableLocker()
		if err != nil {
			return nil, fmt.Errorf("migration lock: %w", err)
		}
		return goose.NewProvider(goose.DialectPostgres, db, migrations.Files, locker, goose.WithLocker(rows))
	}
	session, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return nil, fmt.Errorf("migration lock: %w", err)
	}
	return goose.NewProvider(goose.DialectPostgres, db, migrations.Files, locker, goose.WithSessionLocker(session))
}

// CheckSchema checks that the database has exactly this binary's schema.
// Errors: ErrSchema when it is older or newer.
func CheckSchema(ctx context.Context, db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return checkVersion(ctx, pool)
}

// Migrated checks that the database has at least this binary's schema. During a rolling update, older replicas serve
// with a newer schema.
func Migrated(ctx context.Context, db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	have, want, err := versions(ctx, pool)
	if err == nil && have < want {
		err = fmt.Errorf("%w: it is at version %d, this program needs %d", ErrSchema, have, want)
	}
	return err
}

func checkVersion(ctx context.Context, db *sql.DB) error {
	have, want, err := versions(ctx, db)
	if err != nil {
		return err
	}
	switch {
	case have < want:
		return fmt.Errorf("%w: it is at version %d, this program needs %d; run 'credits migrate'", ErrSchema, have, want)
	case have > want:
		return fmt.Errorf("%w: it is at version %d, this program knows only %d; start the newer program", ErrSchema, have,
			want)
	}
	return nil
}

func versions(ctx context.Context, db *sql.DB) (have, want int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have)
	if err != nil {
		if sqlState(err) == "42P01" { // undefined_table: never migrated
			err = nil
		}
		if err != nil {
			return 0, 0, fmt.Errorf("read the schema's version: %w", err)
		}
	}
	return have, newestMigration(), nil
}

// newestMigration returns the version of the last embedded migration.
func newestMigration() int64 {
	var newest int64
	names, _ := fs.Glob(migrations.Files, "*.sql") // the pattern is a literal and cannot be malformed
	for _, name := range names {
		if v, err := goose.NumericComponent(name); err == nil {
			newest = max(newest, v)
		}
	}
	return newest
}
