package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// pool is a connection pool that survives changes of the schema: a statement prepared before a column was added fails
// once on each connection. The first failure makes every connection prepare its statements anew before its next use,
// and the failed statement runs again.
type pool struct{ *sql.DB }

func openPool(cfg *pgx.ConnConfig) pool {
	const noticed = "schema changes noticed" // by this connection
	var changes atomic.Int64                 // noticed by the pool
	onError := cfg.OnPgError
	cfg.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if stale(err) {
			changes.Add(1)
		}
		return onError(conn, err)
	}
	return pool{stdlib.OpenDB(*cfg,
		stdlib.OptionAfterConnect(func(_ context.Context, conn *pgx.Conn) error {
			conn.PgConn().CustomData()[noticed] = changes.Load()
			return nil
		}),
		stdlib.OptionResetSession(func(ctx context.Context, conn *pgx.Conn) error {
			now := changes.Load()
			if conn.PgConn().CustomData()[noticed] == now {
				return nil
			}
			if conn.DeallocateAll(ctx) != nil {
				return driver.ErrBadConn
			}
			conn.PgConn().CustomData()[noticed] = now
			return nil
		}))}
}

// stale reports whether a statement failed because the schema has changed since it was prepared, on a direct connection
// or through a pooler. Other errors have the same codes.
// Source: https://github.com/postgres/postgres/blob/REL_18_0/src/backend/utils/cache/plancache.c and tcop/pquery.c
func stale(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "0A000" && pg.Routine == "RevalidateCachedQuery" ||
		pg.Code == "08P01" && pg.Routine == "PortalSetResultFormat"
}

// retried runs a statement outside a transaction, again while it is stale: it had no effect.
func retried[T any](run func() (T, error)) (result T, err error) {
	for range txAttempts {
		if result, err = run(); !stale(err) {
			break
		}
	}
	return result, err
}

// GetDBConn returns the pool to callers of gorm.DB.DB.
func (p pool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// ExecContext is that of sql.DB, for GORM.
func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return retried(func() (sql.Result, error) { return p.DB.ExecContext(ctx, query, args...) })
}

// QueryContext is that of sql.DB, for GORM.
func (p pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return retried(func() (*sql.Rows, error) { return p.DB.QueryContext(ctx, query, args...) })
}

// QueryRowContext is that of sql.DB, for GORM.
func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	row, _ := retried(func() (*sql.Row, error) {
		row := p.DB.QueryRowContext(ctx, query, args...)
		return row, row.Err()
	})
	return row
}
