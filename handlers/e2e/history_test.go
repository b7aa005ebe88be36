package e2e

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// Without JavaScript, a user filters the history, sees empty and invalid filters explained, and downloads it as CSV.
func TestHistoryFilterAndDownload(t *testing.T) {
	t.Parallel()
	s := start(t)
	for locale, text := range map[string]struct{ separator, name, analyses, nothing, header string }{
		"en": {",", "credits-history", "analys", "Nothing found",
			"\uFEFFNumber,Date (UTC),Transaction,Credits,Balance after,Note,Purchase,Reservation\r\n"},
		"de": {";", "credits-verlauf", "Analys", "Nichts gefunden",
			"\uFEFFNummer;Datum (UTC);Buchung;Credits;Guthaben danach;Hinweis;Kauf;Reservierung\r\n"},
	} {
		v := newVisitor(s, locale)
		v.signInAs("ada-" + locale + "@example.com")
		v.open("/" + locale + "/purchase?package=500")
		v.submit("#place-order", "quantity", "1")
		v.submit("#pay")
		v.spend("resume_analysis")
		history := "/" + locale + "/history"
		for query, rows := range map[string]int{"": 2, "?kind=purchase": 1, "?kind=resume_analysis": 1, "?kind=job_match": 0,
			"?q=" + text.analyses: 1,
			"?q=%25":              0, "?q=_": 0, "?month=2001-01": 0, "?q=%F0%9F%98%80": 0, "?q=%D7%A9%D7%9C%D7%95%D7%9D": 0,
			"?kind=&month=&q=": 2} {
			v.open(history + query)
			if got := v.doc.Find("#movements table tbody tr").Length(); v.status != http.StatusOK || got != rows {
				t.Errorf("%s%s: status %d, %d entries, want 200 and %d", history, query, v.status, got, rows)
			}
			if found := v.doc.Find("#found").Text(); rows < 2 && !strings.Contains(found, strconv.Itoa(rows)) {
				t.Errorf("%s%s: the filter says %q, want %d in it", history, query, found, rows)
			}
			if rows == 0 {
				if !strings.Contains(v.text("#movements"), text.nothing) {
					t.Errorf("%s%s: list = %q, want %q", history, query, v.text("#movements"), text.nothing)
				}
				v.click("#clear-nothing")
				if v.at.RawQuery != "" || v.doc.Find("#movements table tbody tr").Length() != 2 {
					t.Errorf("clearing the filter leads to %s, want the whole history", v.at)
				}
			}
		}
		for query, field := range map[string]string{"?kind=nonsense": "#kind", "?month=2026-99": "#month",
			"?month=x": "#month", "?month=0000-01": "#month",
			"?q=a%00b": "#q", "?q=" + strings.Repeat("%C3%A4", 101): "#q", "?kind=%00": "#kind",
			"?q=" + url.QueryEscape("a\rb"): "#q"} {
			v.open(history + query)
			if v.status != 422 || v.find(field).AttrOr("aria-invalid", "") != "true" || v.text(field+"-error") == "" {
				t.Errorf("%s%s: status %d, want 422 with an error at %s", history, query, v.status, field)
			}
		}
		v.open(history + "?kind=purchase")
		res, file := request(t, v.client, "GET", s.url+history+".csv", "", nil)
		if res.StatusCode != http.StatusOK || !strings.HasPrefix(file, text.header) ||
			!strings.Contains(res.Header.Get("Content-Disposition"), text.name+".csv") {
			t.Fatalf("CSV file: status %d, disposition %s\n%s", res.StatusCode, res.Header.Get("Content-Disposition"), file)
		}
		table := csv.NewReader(strings.NewReader(file))
		table.Comma = rune(text.separator[0])
		lines, err := table.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, line := range lines[1:] {
			credits, err := strconv.Atoi(line[3])
			if err != nil {
				t.Error(err)
			}
			sum += credits
		}
		if got := strconv.Itoa(sum); got != v.balance() {
			t.Errorf("CSV file sums to %s credits, want the balance of %s", got, v.balance())
		}
		res, file = request(t, v.client, "GET", s.url+v.find("#csv").AttrOr("href", ""), "", nil)
		if got := strings.Count(file, "\r\n"); res.StatusCode != http.StatusOK || got != 2 {
			t.Errorf("CSV file of purchases: %d lines, want 2:\n%s", got, file)
		}
	}
}

// checkStatement requires that a printed history names its owner and its purchase, and has nothing to press.
func (b *browser) checkStatement(email string) {
	b.t.Helper()
	b.run("print", emulation.SetEmulatedMedia().WithMedia("print"))
	var texts []string
	b.measure("printed page", `[...document.querySelectorAll("main :is(#printed, a, button, input, select, summary)")]
		.filter(e => e.checkVisibility()).map(e => e.textContent)`, &texts)
	if len(texts) != 2 || !strings.Contains(texts[0], email) || !strings.Contains(texts[1], "RM-") {
		b.t.Errorf("printed history has %q, want who it is for and the number of the purchase", texts)
	}
	b.run("stop printing", emulation.SetEmulatedMedia())
}
