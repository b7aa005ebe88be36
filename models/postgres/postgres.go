// Package postgres opens, migrates and inspects the database, and runs transactions in it.
package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	driver "gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/loopback"
)

// How long the database may keep us waiting before a request fails closed.
const (
	lockTimeout      = 4 * time.Second
	statementTimeout = 10 * time.Second
	idleInTxTimeout  = 15 * time.Second
	connectTimeout   = 5 * time.Second
	txAttempts       = 3
)

// maxConnections is how many transactions run at once. More than a few for each processor only wait for each other: on
// two, with the database beside us, spending was fastest with 8 to 12 connections and a fifth slower with 32.
func maxConnections() int { return min(4*runtime.NumCPU()+4, 40) }

// Open connects to PostgreSQL at url, directly or through a transaction pooler.
// It does not wait for the server: the first query reports one that is away.
// Errors: an address that cannot be read; the text never holds the password.
func Open(url string, log *slog.Logger) (*gorm.DB, error) {
	cfg, pooled, err := connConfig(url)
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*cfg)
	pool.SetMaxOpenConns(maxConnections())
	pool.SetMaxIdleConns(maxConnections())
	pool.SetConnMaxIdleTime(5 * time.Minute)
	db, err := gorm.Open(driver.New(driver.Config{Conn: pool}), &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		Logger:                 newSQLLogger(log),
		NowFunc:                models.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db.Set(pooledKey, pooled).Session(&gorm.Session{}), nil
}

// Close ends every connection of db.
func Close(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// pins are what statements and answers rely on, whatever the defaults of the server, the database or the role are: hosts
// and operators change them for reasons of their own. PgBouncer passes these on from every client.
// Source: https://www.pgbouncer.org/config.html#track_extra_parameters
var pins = map[string]string{"client_encoding": "UTF8", "datestyle": "ISO, MDY", "standard_conforming_strings": "on", "timezone": "UTC"}

// directPins are what PgBouncer refuses. Behind it they are the defaults of the server's role; see PinDefaults.
var directPins = map[string]string{"bytea_output": "hex", "intervalstyle": "postgres", "default_transaction_isolation": "read committed"}

// timeLimits are how long the database may keep us waiting, by setting, in milliseconds.
var timeLimits = map[string]string{
	"lock_timeout":                        milliseconds(lockTimeout),
	"statement_timeout":                   milliseconds(statementTimeout),
	"idle_in_transaction_session_timeout": milliseconds(idleInTxTimeout),
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// connConfig reads a database address. Poolers in transaction mode (PgBouncer, Neon, Supabase) refuse named statements
// and most startup parameters, so those addresses get neither: each connection keeps the types of a statement and sends
// it anew every time. A time limit that the address names (lock_timeout=60s) takes the place of ours.
func connConfig(address string) (*pgx.ConnConfig, bool, error) {
	address, pooled, err := cleanURL(address)
	if err != nil {
		return nil, false, err
	}
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, false, errors.New("the database address cannot be read") // pgx's own text may quote the address
	}
	if u, _ := url.Parse(address); u.Host == "" && u.Query().Get("host") == "" && !loopback.All(cfg.Host) {
		return nil, false, errors.New("the database address names no host") // PGHOST does, and nothing was said of TLS to there
	}
	cfg.ConnectTimeout = connectTimeout
	maps.Copy(cfg.RuntimeParams, pins)
	if pooled {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		maps.DeleteFunc(cfg.RuntimeParams, func(name, _ string) bool { return timeLimits[name] != "" })
		return cfg, true, nil
	}
	maps.Copy(cfg.RuntimeParams, directPins)
	for name, limit := range timeLimits {
		cfg.RuntimeParams[name] = cmp.Or(cfg.RuntimeParams[name], limit)
	}
	return cfg, false, nil
}

// foreignParams are what hosts and other drivers write into addresses and PostgreSQL does not know.
var foreignParams = []string{"pgbouncer", "connection_limit", "pool_timeout", "statement_cache_size", "schema",
	"socket_timeout", "search_path", "prepare_threshold", "prepared_statements", "supa"}

// cleanURL takes foreign parameters out of an address, asks for verified TLS off this machine, and says whether a pooler
// is behind it.
func cleanURL(address string) (string, bool, error) {
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return "", false, errors.New("the database address must begin with postgres:// or postgresql://")
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", false, errors.New("the database address cannot be read")
	}
	query := u.Query()
	host := u.Hostname()
	pooled := query.Get("pgbouncer") == "true" || query.Get("pgbouncer") != "false" && (u.Port() == "6543" ||
		strings.Contains(host, "-pooler.") || strings.Contains(host, ".pooler."))
	for _, name := range foreignParams {
		query.Del(name)
	}
	// A host parameter wins over the address's own.
	if query.Get("sslmode") == "" && !loopback.All(cmp.Or(query.Get("host"), u.Host)) {
		query.Set("sslmode", "verify-full")
	}
	u.RawQuery = query.Encode()
	return u.String(), pooled, nil
}

const pooledKey = "credits:pooled"

// Transaction runs fn in one transaction and commits it when fn returns nil. A deadlock or a serialization failure
// is tried again, three times in all, so fn must do nothing outside the database.
func Transaction(ctx context.Context, db *gorm.DB, fn func(tx models.Tx) error) error {
	var err error
	for attempt := range txAttempts {
		err = db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if pooled, _ := db.Get(pooledKey); pooled == true {
				if err := setLocalTimeouts(tx); err != nil {
					return err
				}
			}
			return fn(models.Tx{DB: tx})
		}, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if !worthRetrying(err) {
			return err
		}
		pause := time.Duration(rand.IntN(20*(attempt+1))+5) * time.Millisecond //nolint:gosec // nobody gains by guessing when we try again
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
	return err
}

// Snapshot begins a transaction that sees the database as it is now, however long it reads, and changes nothing. The
// caller ends it with Rollback.
func Snapshot(ctx context.Context, db *gorm.DB) (*gorm.DB, error) {
	tx := db.WithContext(ctx).Begin(&sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if tx.Error != nil {
		return nil, tx.Error
	}
	if pooled, _ := db.Get(pooledKey); pooled == true {
		if err := setLocalTimeouts(tx); err != nil {
			tx.Rollback()
			return nil, err
		}
	}
	return tx, nil
}

// setLocalTimeouts does for one transaction what startup parameters do for a direct connection.
func setLocalTimeouts(tx *gorm.DB) error {
	return tx.Exec(`SELECT set_config('lock_timeout', ?, true), set_config('statement_timeout', ?, true),
		set_config('idle_in_transaction_session_timeout', ?, true)`, milliseconds(lockTimeout), milliseconds(statementTimeout), milliseconds(idleInTxTimeout)).Error
}

func worthRetrying(err error) bool {
	code := sqlState(err)
	return code == "40001" || code == "40P01" // serialization_failure, deadlock_detected
}

// Away reports whether err means that the database could not be reached or did not answer in time, so that trying
// the same again later may succeed.
func Away(err error) bool {
	switch code := sqlState(err); {
	case code == "55P03", code == "57014", code == "25P03", code == "40001", code == "40P01", code == "25006": // time-outs, conflicts, a standby
		return true
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "53"), strings.HasPrefix(code, "57P"): // connection, resources, shutdown
		return true
	case code != "":
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) || lostConnection(err)
}

// Refused reports whether err is the database's answer that it will not do what was asked, now or later. The
// transaction has left nothing behind, which an error without an answer does not prove.
func Refused(err error) bool { return sqlState(err) != "" && !Away(err) }

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
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
