package handlers

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

var golden = flag.Bool("golden", false, "rewrite testdata/history.*.csv")

// The history file stays byte for byte the same: byte order mark, separator, line ends, bare numbers, quotes, and no
// cell that a spreadsheet reads as a formula.
func TestHistoryFile(t *testing.T) {
	t.Parallel()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 23, 5, 9, 0, time.UTC)
	rows := []models.CreditTransaction{
		{ID: 1, CreatedAt: at, DeltaCredits: 1200, BalanceAfter: 1200, Reason: models.ReasonPurchase,
			PurchaseNumber: 1001, Meta: models.Meta{PurchaseID: "01934b2e-7c00-7000-8000-000000000001"}},
		{ID: 2, CreatedAt: at.Add(time.Hour), DeltaCredits: -10, BalanceAfter: 1190, Reason: models.ReasonResumeAnalysis,
			Meta: models.Meta{HoldID: "01934b2e-7c00-7000-8000-000000000002"}},
		{ID: 3, CreatedAt: at.Add(2 * time.Hour), DeltaCredits: -1200, BalanceAfter: -10, Reason: models.ReasonRefund,
			Meta: models.Meta{PurchaseID: "01934b2e-7c00-7000-8000-000000000001"}},
	}
	for i, note := range []string{`Danke & "bis bald"`, "a;b,c", "zwei\nZeilen", "=1+1", "+49", "-5", "@x", "＝1",
		"x;=1+1;y", "x,=2+2,y", `z; "@x"`, "👍 \u202eأهلا", "größer", "<b>"} {
		rows = append(rows, models.CreditTransaction{ID: int64(4 + i), CreatedAt: at.AddDate(0, 0, i), DeltaCredits: 1,
			BalanceAfter: models.Credits(i - 9), Reason: models.ReasonManual, Meta: models.Meta{Note: note}})
	}
	for _, code := range texts.Codes() {
		ctx, _ := texts.Context(components.WithZone(t.Context(), "Europe/Berlin"), code)
		var file bytes.Buffer
		table := newHistoryTable(ctx, &file)
		for _, row := range rows {
			table.line(row)
		}
		if err := table.flush(); err != nil {
			t.Fatal(err)
		}
		path := "testdata/history." + code + ".csv"
		if *golden {
			if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(file.Bytes(), want) {
			t.Errorf("got\n%s\nwant %s (%v); -golden rewrites it", file.String(), path, err)
		}
	}
}

func TestEscapeFormulas(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "thanks": "thanks", "a=b": "a=b", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx",
		"\rx": "'\rx", "＝1": "'＝1", "ä": "ä",
		"x;=1+1;y": "x;'=1+1;y", "x,=2+2,": "x,'=2+2,", "a\t@b": "a\t'@b", "a\r\n-1": "a\r\n'-1", `a; "=1"`: `a;' "=1"`,
		`"=1"`: `'"=1"`, ";;+1": ";;'+1",
		"\u00a0=1": "'\u00a0=1", "\n\n=1": "'\n\n'=1", "1, 2; 3": "1, 2; 3", "x;y=1": "x;y=1", ";'=1": ";'=1",
	} {
		if got := escapeFormulas(text); got != want {
			t.Errorf("escapeFormulas(%q) = %q, want %q", text, got, want)
		}
	}
}

// Whatever separator a spreadsheet uses, no cell is a formula. Spreadsheets recognize quotes only at the start of a
// cell.
func FuzzCellsAreNoFormulas(f *testing.F) {
	for _, seed := range []string{"x;=1+1;y", "x,=2+2,y", `a; "=1"`, "\n\t=1", `";=1`, "“=1", "\x00+1"} {
		f.Add(seed)
	}
	texts, err := locales.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, code := range texts.Codes() {
			ctx, _ := texts.Context(t.Context(), code)
			var file bytes.Buffer
			table := newCSV(ctx, &file, []string{"a"})
			for range 2 {
				table.bare("1")
				table.text(text)
				table.text(text)
				table.endRow()
			}
			if err := table.flush(); err != nil {
				t.Fatal(err)
			}
			for _, separator := range ",;\t" {
				read := csv.NewReader(strings.NewReader(strings.ReplaceAll(file.String(), "\x00", "")))
				read.Comma, read.LazyQuotes, read.FieldsPerRecord = separator, true, -1
				rows, err := read.ReadAll()
				for _, cell := range slices.Concat(rows...) {
					if strings.IndexAny(strings.TrimLeft(cell, " \u00a0"), "=+-@＝＋－＠") == 0 {
						t.Errorf("%q split at %q has the formula %q (%v)", text, separator, cell, err)
					}
				}
			}
		}
	})
}
