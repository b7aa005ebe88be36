package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

// Statement is one statement of a Pipeline, with GORM's placeholders.
type Statement struct {
	SQL  string
	Args []any
	Read func(Rows) error // reads the rows, once more if the pipeline runs again; nil to drop them
}

// Rows are the rows of a statement.
type Rows = pgx.Rows

// All returns a Read that replaces a slice by the rows. Columns are matched with the fields of T by name: credits_held
// is CreditsHeld. A column without a field is an error, as NULL is where the field cannot hold it.
func All[T any](into *[]T) func(Rows) error {
	return func(rows Rows) (err error) {
		*into, err = pgx.AppendRows([]T(nil), rows, pgx.RowToStructByNameLax[T])
		return err
	}
}

// Values returns a Read that replaces a slice by the rows, of a single column.
func Values[T any](into *[]T) func(Rows) error {
	return func(rows Rows) (err error) {
		*into, err = pgx.AppendRows([]T(nil), rows, pgx.RowTo[T])
		return err
	}
}

// Pipeline runs statements in one round trip, one after the other, so that each sees what those before it have written
// and locked. In a transaction they run on its connection; otherwise they all take effect or none does.
//
// Errors: that of the first statement that failed; those after it did not run.
func Pipeline(db *gorm.DB, statements ...Statement) error {
	if len(statements) == 0 {
		return nil
	}
	db = db.Session(&gorm.Session{NewDB: true, Context: db.Statement.Context})
	batch := &pgx.Batch{}
	t, joined := db.Statement.ConnPool.(*transaction)
	begun := 0
	if joined {
		begun = len(t.begin)
		for _, begin := range t.begin {
			batch.Queue(begin)
		}
	}
	for _, s := range statements {
		built := db.Raw(s.SQL, s.Args...).Statement
		if built.Error != nil {
			return built.Error
		}
		batch.Queue(built.SQL.String(), built.Vars...)
	}
	ctx := db.Statement.Context
	send := func(conn *pgx.Conn) error { return send(ctx, conn, batch, begun, statements) }
	var err error
	switch pool, _ := db.Statement.ConnPool.(pool); {
	case joined:
		t.begin = nil
		err = onConn(t.conn, send)
	case pool.DB != nil:
		_, err = retried(ctx, pool, func() (struct{}, error) { return struct{}{}, pool.onConn(ctx, send) })
	default:
		err = fmt.Errorf("run a pipeline on a %T", db.Statement.ConnPool)
	}
	if err != nil {
		return db.AddError(err) // translates it
	}
	return nil
}

// send sends a batch, whose first statements begin a transaction, and reads the answers.
func send(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch, begun int, statements []Statement) (err error) {
	fresh := &pgx.Batch{} // pgx notes in a batch what one connection has prepared
	for _, q := range batch.QueuedQueries {
		fresh.Queue(q.SQL, q.Arguments...)
	}
	results := conn.SendBatch(ctx, fresh)
	defer func() {
		if e := results.Close(); err == nil {
			err = e
		}
		if err != nil && begun > 0 && conn.PgConn().TxStatus() == 'I' {
			_ = conn.Close(context.WithoutCancel(ctx)) // no later statement may run outside the transaction
		}
	}()
	for range begun {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	for _, s := range statements {
		rows, err := results.Query()
		if err == nil && s.Read != nil {
			err = s.Read(rows)
		}
		rows.Close()
		if err == nil {
			err = rows.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// onConn runs work on a connection of the pool.
func (p pool) onConn(ctx context.Context, work func(*pgx.Conn) error) error {
	conn, err := p.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return onConn(conn, work)
}

// onConn runs work on the connection behind conn.
func onConn(conn *sql.Conn, work func(*pgx.Conn) error) error {
	return conn.Raw(func(driver any) error {
		return work(driver.(*stdlib.Conn).Conn()) //nolint:forcetypeassert // openPool's own
	})
}
