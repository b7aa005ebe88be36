package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/models/migrations"
)

// catalogueSQL lists what the schema consists of, one line each: kind and name, a tab, definition. goose's tables and
// what belongs to an extension are not ours. PostgreSQL 18 lists NOT NULL among the constraints; here it belongs to the
// column.
const catalogueSQL = `WITH here AS (SELECT current_schema()::regnamespace AS schema),
ours AS (SELECT c.* FROM pg_class c, here WHERE relnamespace = schema AND relname NOT LIKE 'goose\_%'
	AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'))
SELECT regexp_replace(replace(line, current_schema() || '.', ''), '\n\s*', ' ', 'g') FROM (
	SELECT 'table ' || relname || E'\t' || CASE relpersistence WHEN 'u' THEN 'unlogged' ELSE 'logged' END AS line
		FROM ours WHERE relkind IN ('r', 'p')
	UNION ALL SELECT 'column ' || relname || '.' || attname || E'\t' || format_type(atttypid, atttypmod)
		|| CASE WHEN attnotnull THEN ' not null' ELSE '' END || CASE WHEN attidentity <> '' THEN ' identity' ELSE '' END
		|| coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
		FROM ours JOIN pg_attribute ON attrelid = ours.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
	UNION ALL SELECT 'constraint ' || relname || '.' || conname || E'\t' || pg_get_constraintdef(con.oid)
		|| CASE WHEN convalidated THEN '' ELSE ' not valid' END
		FROM ours JOIN pg_constraint con ON conrelid = ours.oid WHERE contype NOT IN ('n', 't')
	UNION ALL SELECT 'index ' || relname || E'\t' || pg_get_indexdef(ours.oid) || CASE WHEN indisvalid THEN '' ELSE ' invalid' END
		FROM ours JOIN pg_index ON indexrelid = ours.oid WHERE relkind IN ('i', 'I')
	UNION ALL SELECT 'trigger ' || relname || '.' || tgname || E'\t' || pg_get_triggerdef(t.oid)
		|| CASE tgenabled WHEN 'O' THEN '' ELSE ' not enabled' END
		FROM ours JOIN pg_trigger t ON tgrelid = ours.oid WHERE NOT tgisinternal
	UNION ALL SELECT 'function ' || proname || '(' || pg_get_function_identity_arguments(p.oid) || E')\t' || md5(prosrc)
		|| CASE WHEN prosecdef THEN ' security definer' ELSE '' END || coalesce(' set ' || array_to_string(proconfig, ','), '')
		FROM pg_proc p, here WHERE pronamespace = schema
		AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
) catalogue`

// Catalogue returns a line for each table, column, constraint, index, trigger and function of the schema, sorted. The
// settings of the connection, in which PostgreSQL writes constants, do not matter.
func Catalogue(ctx context.Context, db *sql.DB) (lines []string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the database's catalogue: %w", err)
		}
	}()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(ctx, `SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL timezone = 'UTC';
		SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex'; SET LOCAL standard_conforming_strings = on`)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, catalogueSQL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err reports what it would
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines, rows.Err()
}

// Differences are the names of what a database has otherwise than this binary's migrations make it, such as
// "column holds.named".
type Differences struct {
	Missing []string
	Changed []string
	Extra   []string // which do no harm
}

// Broken returns what is missing or changed, in words for the log; "" if nothing is.
func (d Differences) Broken() string {
	var all []string
	if len(d.Missing) > 0 {
		all = append(all, "missing: "+strings.Join(d.Missing, ", "))
	}
	if len(d.Changed) > 0 {
		all = append(all, "changed: "+strings.Join(d.Changed, ", "))
	}
	return strings.Join(all, "; ")
}

// differences compares the catalogue with that of this binary's migrations.
func differences(ctx context.Context, db *sql.DB) (d Differences, err error) {
	lines, err := Catalogue(ctx, db)
	if err != nil {
		return d, err
	}
	have, want := byName(lines), byName(strings.Split(strings.TrimSpace(migrations.Catalogue), "\n"))
	for name, definition := range want {
		switch got, ok := have[name]; {
		case !ok:
			d.Missing = append(d.Missing, name)
		case got != definition:
			d.Changed = append(d.Changed, name)
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			d.Extra = append(d.Extra, name)
		}
	}
	slices.Sort(d.Missing)
	slices.Sort(d.Changed)
	slices.Sort(d.Extra)
	return d, nil
}

func byName(lines []string) map[string]string {
	definitions := map[string]string{}
	for _, line := range lines {
		name, definition, _ := strings.Cut(line, "\t")
		definitions[name] = definition
	}
	return definitions
}
