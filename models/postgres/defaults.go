package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// PinDefaults stores the settings that direct connections request as defaults of the role behind address, for this
// database only, if address leads to a pooler. A pooler refuses some of these settings, and statements outside a
// transaction would run at the isolation level of the host. Open connections of the pooler keep their settings until it
// closes them, except for the one used here. A role that owns the tables gets no time limits: it also migrates, which
// may be slow.
//
// Idempotent. Locks: as Grant. Errors: the database's own when the role may not set its defaults.
func PinDefaults(ctx context.Context, address string) (err error) {
	db, pooled, err := openPlain(address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if !pooled {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("pin defaults: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // a no-op after the commit
	if _, err := tx.ExecContext(ctx, lockRoles); err != nil {
		return fmt.Errorf("pin defaults: %w", err)
	}
	if err := pinDefaults(ctx, tx); err != nil {
		return fmt.Errorf("pin defaults: %w", err)
	}
	return tx.Commit()
}

// pinDefaults stores the defaults that the current role lacks, and sets them in the session.
func pinDefaults(ctx context.Context, tx *sql.Tx) error {
	var role, database, kept string
	var migrates bool
	err := tx.QueryRowContext(ctx, `SELECT current_user, current_database(),
		coalesce((SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass('credit_transactions')), true), coalesce((SELECT array_to_string(s.setconfig, chr(10)) FROM pg_db_role_setting s
		JOIN pg_database d ON d.oid = s.setdatabase JOIN pg_roles r ON r.oid = s.setrole
		WHERE d.datname = current_database() AND r.rolname = current_user), '')`).Scan(&role, &database, &migrates, &kept)
	if err != nil {
		return err
	}
	has := strings.Split(strings.ToLower(kept), "\n")
	var statements []string
	for _, s := range pinnedSettings(!migrates) {
		if !slices.Contains(has, strings.ToLower(s.Name+"="+s.Want)) {
			statements = append(statements, s.roleDefault(role, database))
		}
		statements = append(statements, "SET "+s.Name+" = '"+s.Want+"'")
	}
	_, err = tx.ExecContext(ctx, strings.Join(statements, "; "))
	return err
}

// pinnedSettings returns pins, directPins and, with limits, timeLimits, each sorted by name.
func pinnedSettings(limits bool) (all []Setting) {
	sources := []map[string]string{pins, directPins}
	if limits {
		sources = append(sources, timeLimits)
	}
	for _, pinned := range sources {
		for _, name := range slices.Sorted(maps.Keys(pinned)) {
			all = append(all, Setting{Name: name, Want: pinned[name]})
		}
	}
	return all
}

// roleDefault returns the statement that makes s the default of a role in one database.
func (s Setting) roleDefault(role, database string) string {
	return "ALTER ROLE " + pgx.Identifier{role}.Sanitize() + " IN DATABASE " + pgx.Identifier{database}.Sanitize() +
		" SET " + s.Name + " = '" + s.Want + "'"
}
