package dbtest

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
)

// Traces searches all columns of the database for words, ignoring case, and returns the hits as "table.column: word".
func Traces(t testing.TB, db *gorm.DB, words ...string) []string {
	t.Helper()
	var columns []struct{ TableName, ColumnName, DataType string }
	err := db.Raw(
		`SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`).Scan(&columns).Error
	if err != nil || len(columns) < 50 {
		t.Fatalf("found %d columns to search (%v), want at least 50", len(columns), err)
	}
	var found []string
	for _, c := range columns {
		text := fmt.Sprintf(`%q::text`, c.ColumnName)
		if c.DataType == "bytea" {
			text = fmt.Sprintf(`encode(%q, 'escape')`, c.ColumnName)
		}
		for _, word := range words {
			var there bool
			query := fmt.Sprintf(`SELECT EXISTS (SELECT FROM %q WHERE position(lower(?) IN lower(%s)) > 0)`, c.TableName, text)
			if err := db.Raw(query, word).Scan(&there).Error; err != nil {
				t.Fatalf("search %s.%s: %v", c.TableName, c.ColumnName, err)
			}
			if there {
				found = append(found, c.TableName+"."+c.ColumnName+": "+word)
			}
		}
	}
	return found
}
