package postgres

import (
	"context"
	"database/sql"
	"strings"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
)

// transaction is a transaction for GORM on its own connection. It is begun together with its first statement, so that
// beginning costs no round trip if that is a Pipeline.
type transaction struct {
	conn  *sql.Conn
	ctx   context.Context // Commit and Rollback have none, as in sql.Tx
	pool  pool
	begin []string // not sent yet
}

// BeginTx starts a transaction, for GORM. It sends nothing.
func (p pool) BeginTx(ctx context.Context, o *sql.TxOptions) (gorm.ConnPool, error) {
	conn, err := retried(ctx, p, func() (*sql.Conn, error) { return p.DB.Conn(ctx) })
	if err != nil {
		return nil, err
	}
	t := &transaction{conn: conn, ctx: ctx, pool: p, begin: []string{beginSQL(o)}}
	if p.pooled {
		t.begin = append(t.begin, localTimeouts)
	}
	return t, nil
}

// beginSQL begins a transaction; without options at the database's default isolation level.
func beginSQL(o *sql.TxOptions) string {
	begin := "begin"
	if o != nil && o.Isolation != sql.LevelDefault {
		begin += " isolation level " + strings.ToLower(o.Isolation.String())
	}
	if o != nil && o.ReadOnly {
		begin += " read only"
	}
	return begin
}

// start begins the transaction, unless it has begun. After a failure the connection is closed, so that no statement
// runs outside a transaction.
func (t *transaction) start(ctx context.Context) error {
	if t.begin == nil {
		return nil
	}
	begin := strings.Join(t.begin, "; ")
	t.begin = nil
	if _, err := t.conn.ExecContext(ctx, begin); err != nil {
		_ = onConn(t.conn, func(conn *pgx.Conn) error { return conn.Close(context.WithoutCancel(ctx)) })
		return err
	}
	return nil
}

// GetDBConn returns the pool to callers of gorm.DB.DB.
func (t *transaction) GetDBConn() (*sql.DB, error) { return t.pool.DB, nil }

// PrepareContext is that of sql.Tx, for GORM.
func (t *transaction) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t.conn.PrepareContext(ctx, query)
}

// ExecContext is that of sql.Tx, for GORM.
func (t *transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t.conn.ExecContext(ctx, query, args...)
}

// QueryContext is that of sql.Tx, for GORM.
func (t *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	return t.conn.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of sql.Tx, for GORM. If the transaction cannot begin, the row has the error of a closed
// connection.
func (t *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = t.start(ctx)
	return t.conn.QueryRowContext(ctx, query, args...)
}

// Commit commits the transaction. It rolls back and returns the context's error once its context has ended.
//
// It takes a round trip of its own, although a Pipeline could end with COMMIT. The answer to the statements before it
// proves that the transaction holds its locks, and all Evidence rests on that. If the connection were lost with
// everything on its way, a search could find the row unlocked and unchanged and report that nothing was written, and
// the server could receive the transaction afterwards and commit it. Besides, each lost connection and each deadline
// would leave the outcome unknown, and the id that Evidence searches for would be in the answer that was lost.
func (t *transaction) Commit() error {
	if err := t.ctx.Err(); err != nil {
		_ = t.Rollback()
		return err
	}
	return t.end("commit")
}

// Rollback rolls the transaction back. If that fails, it closes the connection, which has the same effect.
func (t *transaction) Rollback() error { return t.end("rollback") }

// end ends the transaction, and releases its connection.
func (t *transaction) end(statement string) error {
	defer func() { _ = t.conn.Close() }()
	if t.begin != nil { // nothing was sent
		return nil
	}
	return onConn(t.conn, func(conn *pgx.Conn) error {
		done, err := conn.Exec(t.ctx, statement)
		switch {
		case err != nil:
			if conn.PgConn().TxStatus() != 'I' {
				_ = conn.Close(context.WithoutCancel(t.ctx)) // it returns err already
			}
		case statement == "commit" && done.String() == "ROLLBACK":
			return pgx.ErrTxCommitRollback
		}
		return err
	})
}
