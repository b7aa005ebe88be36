package postgres

import (
	"cmp"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/resume-matcher/credits/services/loopback"
)

var errUnreadable = errors.New("the database address cannot be read")

// connConfig parses a database address and reports whether it leads to a pooler. Poolers in transaction mode
// (PgBouncer, Neon, Supabase) refuse prepared statements and most startup parameters, so connections through one use
// neither. A time limit in the address (lock_timeout=60s, connect_timeout=9) overrides the default.
func connConfig(address string) (*pgx.ConnConfig, bool, error) {
	address, pooled, err := cleanURL(address)
	if err != nil {
		return nil, false, err
	}
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, false, errUnreadable // pgx's error may quote the address
	}
	if u, _ := url.Parse(address); u.Host == "" && u.Query().Get("host") == "" && !loopback.All(cfg.Host) {
		// Without a host pgx uses PGHOST, which would bypass the TLS rule below.
		return nil, false, errors.New("the database address names no host")
	}
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, connectTimeout)
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

// foreignParams are address parameters of hosts and other drivers that PostgreSQL does not know. config refuses those
// that would change which data the address means.
var foreignParams = []string{"pgbouncer", "connection_limit", "pool_timeout", "statement_cache_size", "schema",
	"socket_timeout", "search_path", "prepare_threshold", "prepared_statements", "supa"}

// cleanURL removes foreign parameters from an address, requires verified TLS to other machines, and reports whether the
// address leads to a pooler. Other parameters stay as they are written: pgx and libpq read a plus sign as itself.
func cleanURL(address string) (string, bool, error) {
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return "", false, errors.New("the database address must begin with postgres:// or postgresql://")
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", false, errUnreadable
	}
	query := u.Query()
	host := u.Hostname()
	pooled := query.Get("pgbouncer") == "true" || query.Get("pgbouncer") != "false" && (u.Port() == "6543" ||
		strings.Contains(host, "-pooler.") || strings.Contains(host, ".pooler."))
	params := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(param string) bool {
		name, _, _ := strings.Cut(param, "=")
		return name == "" || slices.Contains(foreignParams, name) || name == "sslmode" && query.Get(name) == ""
	})
	// A host parameter overrides the host of the address.
	if query.Get("sslmode") == "" && !loopback.All(cmp.Or(query.Get("host"), u.Host)) {
		params = append(params, "sslmode=verify-full")
	}
	u.RawQuery = strings.Join(params, "&")
	return u.String(), pooled, nil
}
