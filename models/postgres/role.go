package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// appendOnly are the tables in which the server may insert but neither update nor delete.
var appendOnly = []string{"credit_transactions", "audit_log"}

// ownersTables are written by migrations only.
var ownersTables = []string{"goose_db_version", "goose_lock"}

// definers are the SECURITY DEFINER functions that change append-only tables under the owner's rules.
const definers = `forget_entries(integer, bigint, integer), forget_audit(integer), remove_entries(integer), remove_audit(integer)`

// lockRoles serialises the role changes of replicas that start at the same time.
const lockRoles = `SELECT pg_advisory_xact_lock(hashtext('credits roles'))`

// MigrateFor is Migrate as the owner, and Grant and PinDefaults for the role that the server connects as. Where the
// defaults cannot be set, it logs a warning, and the next start sets them: PgBouncer refuses a role that Grant has just
// created for 15 seconds (server_login_retry).
func MigrateFor(ctx context.Context, owner, server string, log *slog.Logger) error {
	if err := Migrate(ctx, owner, log); err != nil {
		return err
	}
	if err := Grant(ctx, owner, server); err != nil {
		return err
	}
	err := PinDefaults(ctx, server)
	if sqlState(err) != "" || Away(err) {
		log.WarnContext(ctx, "defaults of the server's role not set", "err", err)
		return nil
	}
	return err
}

// Grant gives the role that the server connects as the rights it needs and no others: select and insert everywhere,
// update and delete everywhere but in the ledger and the audit log, no DDL, no temporary tables. It creates a missing
// role. It does nothing if both addresses have the same role, or the server's role is a member of the owner; see
// Powers. On a newer schema it does nothing either: this release does not know which of its tables are append-only.
//
// Idempotent. Locks: an advisory lock for all role changes.
// Errors: ErrNoRole when the owner may not create the role.
func Grant(ctx context.Context, owner, server string) error {
	if owner == server {
		return nil
	}
	cfg, _, err := connConfig(owner)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*cfg)
	defer func() { _ = db.Close() }() // the grants are committed
	if have, want, err := versions(ctx, db); err != nil || have > want {
		return err
	}
	role, err := roleOf(ctx, server)
	missing := err != nil && RefusalOf(err) == RefusedLogin
	if err != nil && !missing {
		return fmt.Errorf("connect as the server's role: %w", err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // a no-op after the commit
	if _, err := tx.ExecContext(ctx, lockRoles); err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	if missing {
		if role, err = createRole(ctx, tx, server); err != nil {
			return err
		}
	}
	if err := grantTo(ctx, tx, role); err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	return tx.Commit()
}

// roleOf returns the role that an address connects as. It asks the server, since some poolers extend user names.
func roleOf(ctx context.Context, address string) (role string, err error) {
	db, _, err := openPlain(address)
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	return role, db.QueryRowContext(ctx, `SELECT current_user`).Scan(&role)
}

// ErrNoRole says that the role of DATABASE_POOL_URL is missing and that the owner may not create it.
var ErrNoRole = errors.New(
	"the database refuses the user of DATABASE_POOL_URL, and the user of DATABASE_URL may not create it; as an administrator run")

// createRole creates the role of an address. It fails if the role exists, since then the password is wrong.
func createRole(ctx context.Context, tx *sql.Tx, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.User == nil || u.User.Username() == "" {
		return "", errors.New("the address of the server's database names no user")
	}
	name, statement := u.User.Username(), "CREATE ROLE "+pgx.Identifier{u.User.Username()}.Sanitize()+" LOGIN"
	var exists bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, name).
		Scan(&exists); err != nil {
		return "", fmt.Errorf("look for the server's role: %w", err)
	}
	if exists {
		return "", fmt.Errorf("the database refuses the user of DATABASE_POOL_URL or its password")
	}
	create := statement
	if password, ok := u.User.Password(); ok {
		verifier, err := scram(password)
		if err != nil {
			return "", err
		}
		create += " PASSWORD '" + verifier + "'"
	}
	if _, err := tx.ExecContext(ctx, create); sqlState(err) == "42501" {
		return "", fmt.Errorf("%w: %s PASSWORD '…'", ErrNoRole, statement)
	} else if err != nil {
		return "", fmt.Errorf("create the server's role: %w", err)
	}
	return name, nil
}

// scram returns the SCRAM verifier of a password, so that PostgreSQL's log never contains the password.
// Source: RFC 5803.
func scram(password string) (string, error) {
	const rounds = 4096
	salt := make([]byte, 16)
	rand.Read(salt) // never returns an error
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	sign := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, text(salt), text(stored[:]), text(sign("Server Key"))), nil
}

// grantTo grants role the rights of the server on all present and future tables.
func grantTo(ctx context.Context, tx *sql.Tx, role string) error {
	var owns bool
	err := tx.QueryRowContext(ctx,
		`SELECT pg_has_role($1, relowner, 'MEMBER') FROM pg_class WHERE oid = 'credit_transactions'::regclass`,
		role).Scan(&owns)
	if err != nil || owns {
		return err
	}
	var schema, database, tables string
	err = tx.QueryRowContext(ctx, `SELECT current_schema(), current_database(), string_agg(relname, ',' ORDER BY relname)
		FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')`).
		Scan(&schema, &database, &tables)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, strings.Join(grants(role, schema, database, strings.Split(tables, ",")), ";\n"))
	return err
}

// grants returns the statements of grantTo.
func grants(role, schema, database string, tables []string) []string {
	quote := func(name string) string { return pgx.Identifier{name}.Sanitize() }
	role, schema = quote(role), quote(schema)
	all := []string{
		"GRANT USAGE ON SCHEMA " + schema + " TO " + role,
		"REVOKE CREATE ON SCHEMA " + schema + " FROM PUBLIC, " + role,
		// A temporary table would shadow users or holds in triggers.
		"REVOKE CREATE, TEMPORARY ON DATABASE " + quote(database) + " FROM PUBLIC, " + role,
		"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA " + schema + " TO " + role,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA " + schema + " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + role,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA " + schema + " GRANT USAGE, SELECT ON SEQUENCES TO " + role,
		"GRANT EXECUTE ON FUNCTION " + definers + " TO " + role,
	}
	for _, name := range tables {
		rights := "SELECT, INSERT, UPDATE, DELETE"
		switch {
		case slices.Contains(appendOnly, name):
			rights = "SELECT, INSERT"
		case slices.Contains(ownersTables, name):
			rights = "SELECT"
		}
		table := schema + "." + quote(name)
		all = append(all, "REVOKE ALL ON "+table+" FROM PUBLIC, "+role, "GRANT "+rights+" ON "+table+" TO "+role)
	}
	return all
}

// Powers returns what the role behind an address could do to the ledger and the audit log beyond inserting, in
// PostgreSQL's terms. It should be empty.
func Powers(ctx context.Context, address string) ([]string, error) {
	db, _, err := openPlain(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var powers string
	err = db.QueryRowContext(ctx, `SELECT coalesce(string_agg(power, ', '), '') FROM (
		SELECT 'superuser' AS power FROM pg_roles WHERE rolname = current_user AND rolsuper
		UNION ALL SELECT 'owner of ' || relname FROM pg_class WHERE oid IN ('credit_transactions'::regclass, 'audit_log'::regclass)
			AND pg_has_role(current_user, relowner, 'MEMBER')
		UNION ALL SELECT right_ || ' on ' || t FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) right_,
			unnest(ARRAY['credit_transactions', 'audit_log']) t WHERE has_table_privilege(t, right_)
		UNION ALL SELECT 'temporary tables' WHERE has_database_privilege(current_database(), 'TEMPORARY')
		UNION ALL SELECT 'new tables' WHERE has_schema_privilege(current_schema(), 'CREATE')) all_`).Scan(&powers)
	if err != nil || powers == "" {
		return nil, err
	}
	return strings.Split(powers, ", "), nil
}
