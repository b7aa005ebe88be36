package models

import (
	"database/sql/driver"
	"fmt"
	"strings"
)

// TextArray is a text[] column. Its elements are identifiers, which need no quotes.
type TextArray []string

// Value writes a PostgreSQL array.
func (a TextArray) Value() (driver.Value, error) { return "{" + strings.Join(a, ",") + "}", nil }

// Scan reads a PostgreSQL array.
func (a *TextArray) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("text array: cannot read %T", value)
	}
	*a = nil
	if text = strings.Trim(text, "{}"); text != "" {
		*a = strings.Split(text, ",")
	}
	return nil
}
