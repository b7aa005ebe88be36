package ledger

import (
	"fmt"
)

// Rows reads something else of the same moment: a statement whose answer is small, or a part of it. It hands each row's
// column names and values to fn.
func (e *Export) Rows(fn func(columns []string, values []any) error, query string, args ...any) error {
	rows, err := e.tx.Raw(query, args...).Rows()
	if err != nil {
		return fmt.Errorf("export the data of user %d: %w", e.userID, err)
	}
	defer func() { _ = rows.Close() }() // Err has told
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := fn(columns, values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Again begins to read the same movements, as they were at the same moment, from the newest once more.
func (e *Export) Again() error {
	e.done = false
	return e.read(0)
}

// Columns names what a statement answers with.
func (e *Export) Columns(query string, args ...any) ([]string, error) {
	rows, err := e.tx.Raw(query, args...).Rows()
	if err != nil {
		return nil, fmt.Errorf("columns of an export: %w", err)
	}
	defer func() { _ = rows.Close() }() // nothing was read
	return rows.Columns()
}
