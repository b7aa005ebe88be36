package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

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

// All returns a Read that replaces the elements of a slice by the rows. Columns are matched with the fields of T by
// name: credits_held is CreditsHeld. A column without a field is an error, as NULL is where the field cannot hold it.
func All[T any](into *[]T) func(Rows) error {
	return func(rows Rows) (err error) {
		*into, err = pgx.AppendRows((*into)[:0], rows, pgx.RowToStructByNameLax[T])
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
	for _, s := range statements {
		built := db.Raw(s.SQL, s.Args...).Statement
		if built.Error != nil {
			return built.Error
		}
		batch.Queue(built.SQL.String(), built.Vars...)
	}
	ctx := db.Statement.Context
	var err error
	switch p := db.Statement.ConnPool.(type) {
	case *transaction:
		err = p.pipeline(ctx, batch, statements)
	case pool:
		_, err = retried(ctx, p, func() (struct{}, error) {
			return struct{}{}, p.onConn(ctx, func(conn *pgx.Conn) error { return send(ctx, conn, nil, batch, statements) })
		})
	default:
		err = fmt.Errorf("run a pipeline on a %T", p)
	}
	if err != nil {
		return db.AddError(err) // translates it
	}
	return nil
}

// pipeline runs a batch in the transaction, and begins it unless it has begun.
//
// pgx first asks for a description of each statement that is new to the connection. Behind a pooler, that would wait
// for locks without the time limits of a transaction that the batch itself begins, so it is begun before.
func (t *transaction) pipeline(ctx context.Context, batch *pgx.Batch, statements []Statement) error {
	begin := t.begin
	t.begin = nil
	return onConn(t.conn, func(conn *pgx.Conn) error {
		if !t.pool.pooled {
			return send(ctx, conn, begin, batch, statements)
		}
		known, _ := conn.PgConn().CustomData()[described].(map[string]bool)
		isNew := func(q *pgx.QueuedQuery) bool { return !known[q.SQL] }
		if begin != nil && slices.ContainsFunc(batch.QueuedQueries, isNew) {
			if err := send(ctx, conn, begin, &pgx.Batch{}, nil); err != nil {
				return err
			}
			begin = nil
		}
		err := send(ctx, conn, begin, batch, statements)
		if err != nil || known == nil {
			known = map[string]bool{} // pgx forgets the statements of a batch that failed
			conn.PgConn().CustomData()[described] = known
		}
		for _, q := range batch.QueuedQueries {
			known[q.SQL] = err == nil
		}
		return err
	})
}

// described is the key under which a connection records the pipeline statements that pgx has described.
const described = "statements described"

// send sends a batch, preceded by the statements that begin its transaction, and reads the answers.
func send(ctx context.Context, conn *pgx.Conn, begin []string, batch *pgx.Batch, statements []Statement) (err error) {
	fresh := &pgx.Batch{} // pgx records in a batch what one connection has prepared
	for _, b := range begin {
		fresh.Queue(b)
	}
	for _, q := range batch.QueuedQueries {
		fresh.Queue(q.SQL, q.Arguments...)
	}
	results := conn.SendBatch(ctx, fresh)
	defer func() {
		if e := results.Close(); err == nil {
			err = e
		}
		if err != nil && begin != nil && conn.PgConn().TxStatus() == 'I' {
			_ = conn.Close(context.WithoutCancel(ctx)) // no later statement may run outside the transaction
		}
	}()
	for range begin {
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

// Read runs one statement outside of transactions and reads its rows, for what every request reads. Its placeholders
// are PostgreSQL's own ($1) and read gets the rows as they come: GORM and database/sql take longer to build such a
// statement and to read its row than PostgreSQL takes to answer.
func Read(ctx context.Context, db *gorm.DB, read func(Rows) error, query string, args ...any) error {
	p, ok := db.Statement.ConnPool.(pool)
	if !ok {
		return fmt.Errorf("read on a %T", db.Statement.ConnPool)
	}
	_, err := retried(ctx, p, func() (struct{}, error) {
		return struct{}{}, p.onConn(ctx, func(conn *pgx.Conn) error {
			rows, err := conn.Query(ctx, query, args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			if err := read(rows); err != nil {
				return err
			}
			rows.Close() // its last errors
			return rows.Err()
		})
	})
	return err
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
		return work(driver.(*stdlib.Conn).Conn()) // the driver that openPool chose
	})
}
