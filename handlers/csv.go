package handlers

import (
	"bufio"
	"context"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/views/components"
)

// csvTable writes CSV for the spreadsheets of a language: with the byte order mark by which Excel detects UTF-8, and
// the separator that it expects. It quotes every text, so that a spreadsheet with another separator still splits
// cells correctly; encoding/csv quotes only for its own separator.
type csvTable struct {
	out       *bufio.Writer // remembers the first error
	separator string
	begun     bool // the row has a cell
}

// newCSV starts a file with its header row.
func newCSV(ctx context.Context, out io.Writer, header []string) *csvTable {
	t := &csvTable{out: bufio.NewWriter(out), separator: ","}
	if locales.Code(ctx) == "de" { // the comma is the decimal point
		t.separator = ";"
	}
	_, _ = t.out.WriteString("\uFEFF") // flush returns the error
	for _, cell := range header {
		if strings.ContainsAny(cell, ",;\t\"") {
			t.text(cell)
		} else {
			t.bare(cell)
		}
	}
	t.endRow()
	return t
}

// bare writes a number or a time without quotes.
func (t *csvTable) bare(cell string) {
	if t.begun {
		cell = t.separator + cell
	}
	t.begun = true
	_, _ = t.out.WriteString(cell) // flush returns the error
}

// text writes a foreign text, quoted and without formulas.
func (t *csvTable) text(cell string) {
	if cell != "" {
		cell = `"` + strings.ReplaceAll(escapeFormulas(cell), `"`, `""`) + `"`
	}
	t.bare(cell)
}

func (t *csvTable) endRow() {
	t.begun = false
	_, _ = t.out.WriteString("\r\n") // flush returns the error
}

// flush writes the buffer and returns the first error.
func (t *csvTable) flush() error { return t.out.Flush() }

// formulas matches text that a spreadsheet may take for a formula: at the start, and after any character at which
// some spreadsheet splits cells or lines. Spaces, invisible characters and quotes before the formula do not help.
var formulas = regexp.MustCompile(`(^|[,;\t\r\n])([\p{Zs}\p{Cf}\x00-\x08\v\f\x0e-\x1f\x7f-\x9f"]*[=+\-@＝＋－＠])`)

// escapeFormulas keeps a spreadsheet from running text as a formula.
// Source: https://owasp.org/www-community/attacks/CSV_Injection
func escapeFormulas(text string) string {
	// fast path; the prefix starts the full-width forms
	if !strings.ContainsAny(text, "=+-@\t\r\n") && !strings.Contains(text, "\xef\xbc") {
		return text
	}
	text = formulas.ReplaceAllString(text, "$1'$2")
	if strings.IndexAny(text, "\t\r\n") == 0 {
		return "'" + text
	}
	return text
}

// csvTime formats a time for the language's spreadsheets.
func csvTime(ctx context.Context, at time.Time) string {
	layout := "2006-01-02 15:04:05"
	if locales.Code(ctx) == "de" {
		layout = "02.01.2006 15:04:05"
	}
	return at.In(components.Zone(ctx)).Format(layout)
}
