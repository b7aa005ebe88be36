// Package postgres opens, migrates and inspects the database, and runs transactions in it.
package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	driver "gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/tracing"
)

// Time limits: when they pass, the request fails.
const (
	lockTimeout      = 4 * time.Second
	statementTimeout = 10 * time.Second
	idleInTxTimeout  = 15 * time.Second
	connectTimeout   = 5 * time.Second
	txAttempts       = 3
)

// maxConnections bounds the concurrent transactions. More than a few per processor only wait for each other: on two,
// with the database on the same machine, spending was fastest with 8 to 12 connections and a fifth slower with 32.
func maxConnections() int { return min(4*runtime.NumCPU()+4, 40) }

// Open is OpenSized with maxConnections connections.
func Open(address string, log *slog.Logger) (*gorm.DB, error) { return OpenSized(address, 0, log) }

// OpenSized returns a pool of at most this many connections to PostgreSQL at address, directly or through a transaction
// pooler; 0 is maxConnections. It does not connect: the first query reports an unreachable server. When the server or
// the pooler is full, work waits for one of the pool's connections; see pool.
// Errors: an invalid address; the text never contains the password.
func OpenSized(address string, connections int, log *slog.Logger) (*gorm.DB, error) {
	return open(address, connections, log, slowQuery)
}

// open is OpenSized, with the duration from which on a statement is logged as slow.
func open(address string, connections int, log *slog.Logger, slow time.Duration) (*gorm.DB, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg, pooled, err := connConfig(address)
	if err != nil {
		return nil, err
	}
	active := &activity{}
	cfg.Tracer = slowTracer{log, slow, active}
	pool := openPool(cfg, cmp.Or(connections, maxConnections()), pooled)
	db, err := gorm.Open(dialector{driver.Dialector{Config: &driver.Config{Conn: pool}}}, &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		Logger:                 &sqlLogger{log},
		NowFunc:                models.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db.Set(activityKey, active).Session(&gorm.Session{}), nil
}

// UsedUp reports whether every connection that db may open is in use.
func UsedUp(db *gorm.DB) bool {
	pool, err := db.DB()
	if err != nil {
		return false
	}
	s := pool.Stats()
	return s.MaxOpenConnections > 0 && s.InUse >= s.MaxOpenConnections
}

// Answers reports whether db has a connection to a server that answers, or gets one. It waits for one that is in use,
// but not, as statements do, until a server that is full has room.
func Answers(ctx context.Context, db *gorm.DB) bool {
	pool, err := db.DB()
	return err == nil && pool.PingContext(ctx) == nil
}

// Close closes every connection of db.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// pins are the settings that the product relies on, whatever defaults the server, database or role has. PgBouncer
// passes these on from every client.
// Source: https://www.pgbouncer.org/config.html#track_extra_parameters
var pins = map[string]string{"client_encoding": "UTF8", "datestyle": "ISO, MDY", "standard_conforming_strings": "on",
	"timezone": "UTC"}

// directPins are further settings, which PgBouncer refuses. Behind it they are defaults of the role; see PinDefaults.
var directPins = map[string]string{"bytea_output": "hex", "intervalstyle": "postgres",
	"default_transaction_isolation": "read committed"}

// timeLimits are the time limits by setting, in milliseconds.
var timeLimits = map[string]string{
	"lock_timeout":                        milliseconds(lockTimeout),
	"statement_timeout":                   milliseconds(statementTimeout),
	"idle_in_transaction_session_timeout": milliseconds(idleInTxTimeout),
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// localTimeouts sets for one transaction the limits that a direct connection sets at startup.
var localTimeouts = `SELECT set_config('lock_timeout', '` + milliseconds(lockTimeout) + `', true),
	set_config('statement_timeout', '` + milliseconds(statementTimeout) + `', true),
	set_config('idle_in_transaction_session_timeout', '` + milliseconds(idleInTxTimeout) + `', true)`

// Transaction runs fn in a transaction and commits it if fn returns nil. It retries after a deadlock, a serialization
// failure or a change of the schema, three attempts in all, so fn must have no effects outside the database.
//
// Errors: UnknownError when the transaction may have taken effect; see Confirmed.
func Transaction(ctx context.Context, db *gorm.DB, fn func(tx models.Tx) error) (err error) {
	ctx, span := tracing.Child(ctx, "transaction")
	defer func() { span.End(err) }()
	for attempt := range txAttempts {
		committing := false
		err = db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			err := fn(models.Tx{DB: tx})
			committing = err == nil
			return err
		}, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if committing && unanswered(err) {
			return &UnknownError{err}
		}
		if !worthRetrying(err) && (!unsent(err) || ctx.Err() != nil) {
			return err
		}
		pause := time.Duration(rand.IntN(20*(attempt+1))+5) * time.Millisecond //nolint:gosec // not a secret
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
	return err
}

// Found returns the error of a query for one row, and says what was looked up; nil for none.
// Errors: fault.NotFound when there is no such row.
func Found(err error, format string, args ...any) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrRecordNotFound):
		return fault.New(fault.NotFound, nil)
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

// InBatches repeats a statement until it changes fewer rows than a batch holds, and returns how many it changed in all.
func InBatches(batch int64, statement func() *gorm.DB) (n int64, err error) {
	for {
		done := statement()
		if n += done.RowsAffected; done.Error != nil || done.RowsAffected < batch {
			return n, done.Error
		}
	}
}

// Snapshot starts a read-only transaction that sees the database as of its first statement. The caller ends it with
// Rollback.
func Snapshot(ctx context.Context, db *gorm.DB) (*gorm.DB, error) {
	tx := db.WithContext(ctx).Begin(&sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	return tx, tx.Error
}

// LimitStatements bounds every further statement of a transaction, whatever it waits for.
func LimitStatements(tx models.Tx, limit time.Duration) error {
	return tx.Exec(`SELECT set_config('statement_timeout', ?, true)`, milliseconds(max(limit, time.Millisecond))).Error
}

func worthRetrying(err error) bool {
	code := sqlState(err)
	return code == "40001" || code == "40P01" || stale(err) // serialization_failure, deadlock_detected
}

// Away reports whether err means that the database was unreachable or did not answer in time, so that a retry may
// succeed.
func Away(err error) bool {
	if fault.Of(err) != nil { // of another service, which may be away, too
		return false
	}
	switch code := sqlState(err); {
	// Time-outs, conflicts and writes on a standby.
	case code == "55P03", code == "57014", code == "25P03", code == "40001", code == "40P01", code == "25006":
		return true
	// Lost connections, exhausted resources and shutdowns.
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "53"), strings.HasPrefix(code, "57P"):
		return true
	case code != "":
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, sql.ErrTxDone) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) || lostConnection(err)
}

// TimedOut reports whether err means that a lock, a statement or a transaction took too long.
func TimedOut(err error) bool {
	code := sqlState(err)
	return errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) || code == "57014" || // query_canceled
		code == "55P03" // lock_not_available
}

// Unreachable reports whether err means that no server answers, rather than that one statement waited too long.
func Unreachable(err error) bool {
	code := sqlState(err)
	return Away(err) && (code == "" || strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P"))
}

// Refused reports whether err is a permanent refusal by the database, which rolled the transaction back.
func Refused(err error) bool { return sqlState(err) != "" && !Away(err) && !OutcomeUnknown(err) }

// DiskFull reports whether err means that the database's disk is full.
func DiskFull(err error) bool { return sqlState(err) == "53100" }

func lostConnection(err error) bool {
	if err == nil {
		return false
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if e.Error() == "unexpected EOF" || e.Error() == "driver: bad connection" || e.Error() == "conn closed" {
			return true
		}
	}
	return false
}

func sqlState(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}
