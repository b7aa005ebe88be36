package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/resume-matcher/credits/models/migrations"
)

// ErrBusy says that other sessions kept a table locked for as long as Migrate tries.
var ErrBusy = errors.New("the database is busy: other sessions keep tables locked that a migration changes; " +
	"end long transactions and run 'credits migrate' again")

// How Migrate waits for other sessions. While it waits for a table, new statements on that table wait behind it, so it
// waits briefly and often.
const (
	migrationLockTimeout = 2 * time.Second // lock_timeout in the address overrides it
	migrationAttempts    = 8               // the pause after the nth is n lock timeouts
)

// Migrate brings the database at address to this binary's schema, and logs one line if it applied any migration. Of
// concurrent processes one applies, the others wait. It may run while servers of the previous release work: a migration
// that waits too long for a lock, or that PostgreSQL ends to resolve a deadlock, is rolled back and tried again. It
// leaves a newer schema as it is, with a warning.
//
// Locks: goose's: a session lock on a direct connection, a row through a pooler, where waits for tables are unbounded.
// Errors: ErrBusy.
func Migrate(ctx context.Context, address string, log *slog.Logger) (err error) {
	cfg, pooled, err := connConfig(address)
	if err != nil {
		return err
	}
	for _, limit := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		delete(cfg.RuntimeParams, limit) // migrations may be slow
	}
	limit, wait := migrationLimit(address)
	if !pooled {
		cfg.RuntimeParams["lock_timeout"] = limit
	}
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(db, pooled)
	if err != nil {
		return err
	}
	from, to, err := versions(ctx, db)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if from > to {
		log.WarnContext(ctx, "the database's schema is newer than this program", "have", from, "know", to)
	}
	applied, err := up(ctx, provider, wait, log)
	logMigration(ctx, log, from, applied)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// migrationLimit returns the lock_timeout of a migration, and the same as a duration for the pauses.
func migrationLimit(address string) (string, time.Duration) {
	if u, err := url.Parse(address); err == nil && u.Query().Get("lock_timeout") != "" {
		limit := u.Query().Get("lock_timeout")
		if wait, err := time.ParseDuration(limit); err == nil {
			return limit, wait
		}
		return limit, migrationLockTimeout
	}
	return milliseconds(migrationLockTimeout), migrationLockTimeout
}

// up applies the pending migrations, each in its own transaction, and returns those that were applied.
func up(ctx context.Context, provider *goose.Provider, wait time.Duration, log *slog.Logger) (
	applied []*goose.MigrationResult, err error,
) {
	for attempt := 1; ; attempt++ {
		done, err := provider.Up(ctx)
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			done = partial.Applied
		}
		applied = append(applied, done...)
		if !contended(err) {
			return applied, err
		}
		if attempt == migrationAttempts {
			return applied, fmt.Errorf("%w (%w)", ErrBusy, err)
		}
		log.WarnContext(ctx, "migration waits for other sessions", "attempt", attempt, "of", migrationAttempts, "err", err)
		select {
		case <-ctx.Done():
			return applied, ctx.Err()
		case <-time.After(time.Duration(attempt) * wait):
		}
	}
}

// contended reports whether a statement failed only because other sessions were at work.
func contended(err error) bool {
	return sqlState(err) == "55P03" || worthRetrying(err) // lock_not_available
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
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true),
		goose.WithAllowOutofOrder(true)} // unreleased builds applied some higher numbers before lower ones
	if pooled {
		rows, err := lock.NewPostgresTableLocker()
		if err != nil {
			return nil, fmt.Errorf("migration lock: %w", err)
		}
		options = append(options, goose.WithLocker(rows))
		return goose.NewProvider(goose.DialectPostgres, db, migrations.Files, options...)
	}
	session, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return nil, fmt.Errorf("migration lock: %w", err)
	}
	options = append(options, goose.WithSessionLocker(session))
	return goose.NewProvider(goose.DialectPostgres, db, migrations.Files, options...)
}
