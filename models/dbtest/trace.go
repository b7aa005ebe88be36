package dbtest

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
)

// Traces searches all columns of the database for words, ignoring case, and returns the hits as "table.column: word".
// One statement for all, because a statement for each column and word took seconds.
func Traces(t testing.TB, db *gorm.DB, words ...string) (found []string) {
	t.Helper()
	var columns []struct{ TableName, ColumnName, DataType string }
	err := db.Raw(
		`SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`).Scan(&columns).Error
	if err != nil || len(columns) < 50 {
		t.Fatalf("found %d columns to search (%v), want at least 50", len(columns), err)
	}
	var texts []string
	for _, c := range columns {
		text := fmt.Sprintf(`%q::text`, c.ColumnName)
		if c.DataType == "bytea" {
			text = fmt.Sprintf(`encode(%q, 'escape')`, c.ColumnName)
		}
		texts = append(texts, fmt.Sprintf(`SELECT '%s.%s' AS place, %s AS text FROM %q`, c.TableName, c.ColumnName, text, c.TableName))
	}
	var search []any
	for _, word := range words {
		search = append(search, word)
	}
	err = db.Raw(`WITH words (word) AS (VALUES (?::text)`+strings.Repeat(`, (?::text)`, len(words)-1)+`)
		SELECT DISTINCT place || ': ' || word FROM (`+strings.Join(texts, " UNION ALL ")+`) texts
		JOIN words ON position(lower(word) IN lower(text)) > 0`, search...).Scan(&found).Error
	if err != nil {
		t.Fatalf("search the database: %v", err)
	}
	return found
}
