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

// csvTable writes a table as CSV for the spreadsheets of a language: with a byte order mark, by which Excel knows UTF-8, and
// with the separator that it expects where the language is spoken. Every text is quoted, so that a spreadsheet with other
// regional settings, which splits lines elsewhere, finds a quote where it splits; encoding/csv quotes only what its own
// separator needs.
type csvTable struct {
	out       *bufio.Writer // keeps the first error
	separator string
	begun     bool // there is a cell in this row
}

// newCSV starts a file with its header row. Header cells come from our texts and need no quoting.
func newCSV(ctx context.Context, out io.Writer, header []string) *csvTable {
	t := &csvTable{out: bufio.NewWriter(out), separator: ","}
	if locales.Code(ctx) == "de" { // there the comma is the decimal point
		t.separator = ";"
	}
	_, _ = t.out.WriteString("\uFEFF") // flush tells
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

// bare writes a number or a moment, which must not look like text.
func (t *csvTable) bare(cell string) {
	if t.begun {
		cell = t.separator + cell
	}
	t.begun = true
	_, _ = t.out.WriteString(cell) // flush tells
}

// text writes a cell that a user or another system filled, quoted so that no spreadsheet runs it as a formula.
func (t *csvTable) text(cell string) {
	if cell != "" {
		cell = `"` + strings.ReplaceAll(harmless(cell), `"`, `""`) + `"`
	}
	t.bare(cell)
}

func (t *csvTable) endRow() {
	t.begun = false
	_, _ = t.out.WriteString("\r\n") // flush tells
}

// flush sends what was written, and says whether all of it went through.
func (t *csvTable) flush() error { return t.out.Flush() }

// formulas finds where a spreadsheet may take a part of a text for a formula: at its beginning, and after whatever some
// spreadsheet splits cells or lines at. Spaces and quotes before the formula do not help.
var formulas = regexp.MustCompile(`(^|[,;\t\r\n])([\p{Zs}"]*[=+\-@＝＋－＠])`)

// harmless keeps a spreadsheet from taking a text, or a part of it, for a formula.
// Source: https://owasp.org/www-community/attacks/CSV_Injection
func harmless(text string) string {
	if !strings.ContainsAny(text, "=+-@\t\r\n") && !strings.Contains(text, "\xef\xbc") { // the latter begins the wide forms; most have none
		return text
	}
	text = formulas.ReplaceAllString(text, "$1'$2")
	if strings.IndexAny(text, "\t\r\n") == 0 {
		return "'" + text
	}
	return text
}

// csvTime is a moment as a spreadsheet of the language understands it.
func csvTime(ctx context.Context, at time.Time) string {
	layout := "2006-01-02 15:04:05"
	if locales.Code(ctx) == "de" {
		layout = "02.01.2006 15:04:05"
	}
	return at.In(components.Zone(ctx)).Format(layout)
}
