package stripe

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// stateLock is the advisory lock that every write holds, so that writes run one after another in all replicas that
// share the database.
const stateLock = 0x7374726970655f73 // "stripe_s"

//go:embed schema.sql
var schemaSQL string

// store is the state of the stand-in.
type store struct {
	db     *sql.DB
	shapes shapes
}

// openStore connects and creates the schema if necessary.
func openStore(ctx context.Context, o Options) (*store, error) {
	shapes, err := loadShapes()
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(o.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("parse database URL: %w", err)
	}
	// No prepared statement stays on the server, so that a pooler can sit in between, and results are binary, so that the
	// database's DateStyle does not matter.
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	delete(config.RuntimeParams, "pgbouncer") // a hint for other drivers, which a server would refuse
	s := &store{db: stdlib.OpenDB(*config), shapes: shapes}
	s.db.SetMaxOpenConns(3)
	s.db.SetConnMaxIdleTime(time.Minute)
	if err := s.migrate(ctx, o); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// migrate makes the schema and the product's own endpoint, and resumes the deliveries that failed.
func (s *store) migrate(ctx context.Context, o Options) error {
	return s.write(ctx, caller{}, func(ctx context.Context, t *txn) error {
		if _, err := t.ExecContext(ctx, schemaSQL+delivery.Schema); err != nil {
			return fmt.Errorf("make schema: %w", err)
		}
		if err := t.ownEndpoint(ctx, o); err != nil {
			return err
		}
		return t.Resume(ctx)
	})
}

// caller identifies the request that caused a write. Events carry it.
type caller struct{ RequestID, IdempotencyKey string }

// txn is one transaction.
type txn struct {
	delivery.Tx
	shapes  shapes
	caller  caller
	emitted []string // identifiers of the events made in it
}

// write runs fn in a transaction. Writes run one at a time.
//
// Locks: the idempotency key of by, if it has one, then the state.
func (s *store) write(ctx context.Context, by caller, fn func(context.Context, *txn) error) error {
	return s.transact(ctx, by, nil, func(ctx context.Context, t *txn) error {
		if by.IdempotencyKey != "" {
			if err := t.lockKey(ctx, by.IdempotencyKey); err != nil {
				return err
			}
		}
		if _, err := t.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(stateLock)); err != nil {
			return fmt.Errorf("lock state: %w", err)
		}
		t.Now = time.Now().UTC() // after the wait: sequence and time agree
		return fn(ctx, t)
	})
}

// read runs fn on one snapshot.
func (s *store) read(ctx context.Context, fn func(context.Context, *txn) error) error {
	return s.transact(ctx, caller{}, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, fn)
}

func (s *store) transact(ctx context.Context, by caller, o *sql.TxOptions,
	fn func(context.Context, *txn) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, delivery.QueryTimeout)
	defer cancel()
	tx, err := s.db.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) && err == nil {
			err = fmt.Errorf("roll back: %w", e)
		}
	}()
	if err := fn(ctx, &txn{Tx: delivery.Tx{Tx: tx, Now: time.Now().UTC()}, shapes: s.shapes, caller: by}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// put inserts or replaces o, in its wire format.
func (t *txn) put(ctx context.Context, o record) error {
	kind, id := o.ref()
	wire, err := t.shapes.render(o)
	if err != nil {
		return err
	}
	data, err := json.Marshal(wire)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	_, err = t.ExecContext(ctx, `INSERT INTO stripe_sandbox.objects (id, kind, data, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET data = excluded.data`, id, kind, string(data), t.Now)
	if err != nil {
		return fmt.Errorf("store %s: %w", kind, err)
	}
	return nil
}

// get reads the object with this id into o. param is the parameter that named the id, for the error.
func (t *txn) get(ctx context.Context, id, param string, o record) error {
	kind, _ := o.ref()
	data, err := t.data(ctx, kind, id, param)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, o); err != nil {
		return fmt.Errorf("decode %s: %w", kind, err)
	}
	return nil
}

// wire reads an object in its wire format.
func (t *txn) wire(ctx context.Context, kind, id, param string) (map[string]any, error) {
	data, err := t.data(ctx, kind, id, param)
	if err != nil {
		return nil, err
	}
	return decodeMap(data)
}

func (t *txn) data(ctx context.Context, kind, id, param string) ([]byte, error) {
	var data string
	err := t.QueryRowContext(ctx, `SELECT data FROM stripe_sandbox.objects WHERE id = $1 AND kind = $2`, id,
		kind).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, missing(kind, id, param)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err)
	}
	return []byte(data), nil
}
