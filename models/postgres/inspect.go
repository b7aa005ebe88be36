package postgres

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// OldestPostgres is the oldest PostgreSQL that the schema works on.
const OldestPostgres = 15

// Connection describes the server behind an address.
type Connection struct {
	Version    int         // PostgreSQL's major version
	Have, Want int64       // schema version there, and of this binary
	Schema     Differences // unless the schema is older
	Encrypted  bool
	Remote     net.IP // address of the server; nil for a local socket
	Named      bool   // the address names a pooler: by its port, its host or a parameter
	Direct     bool   // the address says that there is no pooler
	Shared     bool   // two client connections shared a server connection: a pooler in transaction mode
}

// Pooled reports whether the address leads to a pooler in transaction mode, by its name or by observation.
func (c Connection) Pooled() bool { return c.Named || c.Shared }

// Inspect connects to PostgreSQL at address and describes it. It changes nothing.
// Errors: an invalid address, or a server that is unreachable or refuses; see RefusalOf.
func Inspect(ctx context.Context, address string) (Connection, error) {
	db, named, err := openPlain(address)
	if err != nil {
		return Connection{}, err
	}
	defer func() { _ = db.Close() }() // the result does not depend on it
	c := Connection{Named: named, Direct: saysDirect(address)}
	if err := c.probe(ctx, db); err != nil {
		return c, fmt.Errorf("inspect the database: %w", err)
	}
	if c.Have, c.Want, err = versions(ctx, db); err == nil && c.Have >= c.Want {
		c.Schema, err = differences(ctx, db)
	}
	return c, err
}

// saysDirect reports whether an address says that it leads to no pooler, whatever its name suggests.
func saysDirect(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Query().Get("pgbouncer") == "false"
}

// openPlain opens a pool without startup parameters and prepared statements, which works through every pooler, even an
// unexpected one.
func openPlain(address string) (*sql.DB, bool, error) {
	cfg, named, err := connConfig(address)
	if err != nil {
		return nil, false, err
	}
	cfg.RuntimeParams = map[string]string{}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
	return stdlib.OpenDB(*cfg), named, nil
}

// probe fills in what two concurrent connections reveal.
func (c *Connection) probe(ctx context.Context, db *sql.DB) error {
	one, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = one.Close() }()
	other, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = other.Close() }()

	var version int
	if err := one.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return err
	}
	c.Version = version / 10_000
	if err := one.Raw(c.wire); err != nil {
		return err
	}
	// A pooler lends a server connection for one transaction: both clients get the same one, or one client gets another
	// for its next statement. The process id that the client itself knows proves nothing, since proxies invent theirs.
	var pids [3]int
	for i, conn := range []*sql.Conn{one, other, one} {
		if err := conn.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&pids[i]); err != nil {
			return err
		}
	}
	c.Shared = pids[0] == pids[1] || pids[0] != pids[2]
	return nil
}

// wire reads the properties of the network connection.
func (c *Connection) wire(driver any) error {
	conn, ok := driver.(*stdlib.Conn)
	if !ok {
		return errors.New("unexpected database driver")
	}
	line := conn.Conn().PgConn().Conn()
	_, c.Encrypted = line.(*tls.Conn)
	if remote, ok := line.RemoteAddr().(*net.TCPAddr); ok {
		c.Remote = remote.IP
	}
	return nil
}

// SameDatabase reports whether both addresses lead to the same database of the same server.
// Locks: an advisory lock with a random key, briefly.
func SameDatabase(ctx context.Context, address, other string) (bool, error) {
	first, _, err := openPlain(address)
	if err != nil {
		return false, err
	}
	defer func() { _ = first.Close() }()
	second, _, err := openPlain(other)
	if err != nil {
		return false, err
	}
	defer func() { _ = second.Close() }()

	holder, err := first.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("compare databases: %w", err)
	}
	defer func() { _ = holder.Rollback() }()
	key := rand.Int64() //nolint:gosec // not a secret
	if _, err := holder.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, key); err != nil {
		return false, fmt.Errorf("compare databases: %w", err)
	}
	var free bool
	if err := second.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)`, key).Scan(&free); err != nil {
		return false, fmt.Errorf("compare databases: %w", err)
	}
	return !free, nil
}

// Refusal is why a database cannot be used.
type Refusal string

// The refusals.
const (
	RefusedLogin    Refusal = "login"    // the role or its password
	RefusedDatabase Refusal = "database" // no database has this name
	RefusedTLS      Refusal = "tls"
	RefusedAway     Refusal = "away" // no server answers
	RefusedOther    Refusal = "other"
)

// RefusalOf classifies an error of Inspect, without quoting the address.
func RefusalOf(err error) Refusal {
	switch code := sqlState(err); {
	case code == "28P01", code == "28000":
		return RefusedLogin
	case code == "3D000":
		return RefusedDatabase
	case code == "08P01":
		return poolerRefusal(err)
	case code == "" && refusedTLS(err):
		return RefusedTLS
	case Away(err):
		return RefusedAway
	}
	return RefusedOther
}

// poolerRefusal reads PgBouncer's text, because all its refusals have one code.
// Source: https://github.com/pgbouncer/pgbouncer/blob/master/src/client.c
func poolerRefusal(err error) Refusal {
	switch text := err.Error(); {
	case strings.Contains(text, "authentication failed"), strings.Contains(text, "no such user"):
		return RefusedLogin
	case strings.Contains(text, "no such database"):
		return RefusedDatabase
	}
	return RefusedOther
}

// refusedTLS reports whether the server speaks no TLS, or has an untrusted certificate.
func refusedTLS(err error) bool {
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &record) || errors.As(err, &certificate) ||
		strings.Contains(err.Error(), "server refused TLS connection") // pgconn exports no such error
}
