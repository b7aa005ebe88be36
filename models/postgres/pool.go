package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/resume-matcher/credits/services/periodic"
)

// pool is a connection pool that survives two changes around it. Both are retried, since the failed work had no effect:
//
//   - A statement prepared before a column was added fails once on each connection. The first failure makes every
//     connection prepare its statements anew before its next use.
//   - A server or pooler that is full refuses a further connection. The pool then does with those it has, and asks for
//     more after growAfter.
type pool struct {
	*sql.DB
	size   int  // the most connections; fewer while the server is full
	pooled bool // they lead to a transaction pooler
}

const (
	growAfter   = 10 * time.Second
	fullPause   = 50 * time.Millisecond
	fullTimeout = 10 * time.Second // work that is refused a connection after so long is not tried again
)

func openPool(cfg *pgx.ConnConfig, size int, pooled bool) pool {
	const noticed = "schema changes noticed" // by this connection
	var changes atomic.Int64                 // noticed by the pool
	onError := cfg.OnPgError
	cfg.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if stale(err) {
			changes.Add(1)
		}
		return onError(conn, err)
	}
	db := stdlib.OpenDB(*cfg,
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
			delete(conn.PgConn().CustomData(), described)
			return nil
		}),
		stdlib.OptionShouldPing(func(ctx context.Context, p stdlib.ShouldPingParams) bool {
			if periodic.InBackground(ctx) { // it tries again after a failure
				return p.IdleDuration > time.Minute
			}
			return p.IdleDuration > time.Second
		}))
	db.SetConnMaxIdleTime(5 * time.Minute)
	p := pool{db, size, pooled}
	p.grow()
	return p
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

// unsent reports whether nothing was sent, because the connection had failed. Before pgx sends a statement, it drops
// stale ones from the connection, and that error does not say so.
// Source: https://github.com/jackc/pgx/blob/v5.11.0/conn.go, deallocateInvalidatedCachedStatements
func unsent(err error) bool {
	return err != nil && (pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "failed to deallocate cached statement(s)")) // callers wrap it
}

// full reports whether a server, a pooler, a database or a role refused a connection because it has too many.
// Source: https://github.com/pgbouncer/pgbouncer/blob/master/src/objects.c
func full(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) && (sqlState(err) == "53300" || // too_many_connections
		sqlState(err) == "08P01" && strings.Contains(err.Error(), "no more connections allowed"))
}

// retried runs work that had no effect again, if it failed with a stale statement, before it was sent or without a
// connection.
func retried[T any](ctx context.Context, p pool, run func() (T, error)) (result T, err error) {
	begin := time.Now()
	for runs := 1; ; runs++ {
		switch result, err = run(); {
		case (stale(err) || unsent(err) && ctx.Err() == nil) && runs < txAttempts:
			continue
		case !full(err) || time.Since(begin) > fullTimeout:
			return result, err
		}
		p.shrink()
		select {
		case <-ctx.Done():
			return result, err
		case <-time.After(fullPause): // then run waits for a present connection
		}
	}
}

// shrink limits the pool to its present connections, for a while.
func (p pool) shrink() {
	if present := p.Stats().OpenConnections; present > 0 {
		p.SetMaxOpenConns(min(present, p.size))
		time.AfterFunc(growAfter, p.grow)
	}
}

func (p pool) grow() {
	p.SetMaxOpenConns(p.size)
	p.SetMaxIdleConns(p.size)
}

// GetDBConn returns the pool to callers of gorm.DB.DB.
func (p pool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// ExecContext is that of sql.DB, for GORM.
func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return retried(ctx, p, func() (sql.Result, error) { return p.DB.ExecContext(ctx, query, args...) })
}

// QueryContext is that of sql.DB, for GORM.
func (p pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return retried(ctx, p, func() (*sql.Rows, error) { return p.DB.QueryContext(ctx, query, args...) })
}

// QueryRowContext is that of sql.DB, for GORM.
func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	row, _ := retried(ctx, p, func() (*sql.Row, error) {
		row := p.DB.QueryRowContext(ctx, query, args...)
		return row, row.Err()
	})
	return row
}
