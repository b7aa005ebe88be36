package components_test

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/views/components"
)

// draw renders a chart with a slot for each list of values, in a locale.
func draw(t *testing.T, locale string, kind components.ChartKind, slots ...[]int64) *goquery.Document {
	t.Helper()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := texts.Context(context.Background(), locale)
	data := components.ChartData{ID: "c", Title: "Title", Description: "Description", Empty: "Nothing moved", Kind: kind,
		Series: []components.ChartSeries{{Name: "Balance"}, {Name: "In"}, {Name: "Out"}}}
	if kind == components.Bars {
		data.Series = []components.ChartSeries{{Name: "Sold"}, {Name: "Paid", Currency: "eur"}}
	}
	for i, values := range slots {
		data.Slots = append(data.Slots, components.ChartSlot{Label: strconv.Itoa(i), Name: "day " + strconv.Itoa(i),
			Values: values})
	}
	var page bytes.Buffer
	if err := components.Chart(data).Render(ctx, &page); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(&page)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// written returns the texts that a selector finds.
func written(doc *goquery.Document, selector string) []string {
	return doc.Find(selector).Map(func(_ int, s *goquery.Selection) string { return s.Text() })
}

func wantTexts(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}

// Values are the balance, what was added and what was deducted, of a day each.
func TestChartSteps(t *testing.T) {
	t.Parallel()
	doc := draw(t, "en", components.Steps, []int64{50, 0, 10}, []int64{530, 500, 20}, []int64{520, 0, 10})
	// The line begins at 60, before the first day; 550 is the peak, right after the purchase.
	if got := doc.Find("path.chart-line").AttrOr("d", ""); got != "M0 168.3H5V170.9H15V40V45.2H25V47.9H30" {
		t.Errorf("line = %q, want steps from 60 to 50, up to 550, down to 530 and 520", got)
	}
	wantTexts(t, "scale", written(doc, "svg:first-child > text"), "550", "0")
	wantTexts(t, "rises", written(doc, ".chart-rises text"), "+500")
	wantTexts(t, "last value", written(doc, ".chart-last"), "520")
	wantTexts(t, "texts under the pointer", written(doc, ".chart-day text"), "day 0: 50 · −10", "day 1: 530 · +500 · −20",
		"day 2: 520 · −10")
}

func TestChartBars(t *testing.T) {
	t.Parallel()
	doc := draw(t, "de", components.Bars, []int64{1200, 50}, []int64{600, 100})
	for series, want := range map[string][]string{"0": {"72", "36"}, "1": {"36", "72"}} {
		heights := doc.Find(`g[data-series="` + series + `"] rect`).Map(func(_ int, s *goquery.Selection) string {
			return s.AttrOr("height", "")
		})
		wantTexts(t, "heights of series "+series+" on its own scale", heights, want...)
	}
	wantTexts(t, "last values", written(doc, ".chart-last"), "600", "1,00\u00a0€")
	wantTexts(t, "names", written(doc, "figure > p"), "Sold", "Paid")
}

func TestChartExtremes(t *testing.T) {
	t.Parallel()
	doc := draw(t, "en", components.Bars, []int64{math.MaxInt64, 1}, []int64{1, 0})
	if got := doc.Find(`g[data-series="0"] rect`).Last().AttrOr("height", ""); got != "1.5" {
		t.Errorf("height of 1 beside the largest number = %s pixels, want 1.5, which is visible", got)
	}
	doc = draw(t, "en", components.Steps, []int64{math.MinInt64, 0, 0}, []int64{math.MaxInt64, math.MaxInt64, 0})
	if path := doc.Find("path.chart-line").AttrOr("d", ""); path == "" || strings.ContainsAny(path, "NaIf") {
		t.Errorf("line between the extremes = %q, want numbers", path)
	}
	below := draw(t, "en", components.Steps, []int64{100, 0, 0}, []int64{-50, 0, 150})
	wantTexts(t, "scale with a debt", written(below, "svg:first-child > text"), "100", "0", "−50")
	one := draw(t, "en", components.Steps, []int64{100, 100, 0})
	if got := one.Find("path.chart-line").AttrOr("d", ""); got != "M0 184H5V40V40H10" {
		t.Errorf("line of a single day = %q, want a step from 0 to 100", got)
	}
}

// Labels of neighbouring days would lie on each other, so the earlier one is left out; it is in the table.
func TestChartLabelsDoNotTouch(t *testing.T) {
	t.Parallel()
	slots := make([][]int64, 30)
	for i := range slots {
		slots[i] = []int64{1000, 500, 500}
	}
	doc := draw(t, "en", components.Steps, slots...)
	if n := doc.Find(".chart-rises text").Length(); n < 5 || n > 8 {
		t.Errorf("%d labels on 260 pixels, want between 5 and 8", n)
	}
	if n := doc.Find("tbody tr").Length(); n != 30 {
		t.Errorf("%d rows in the table, want 30", n)
	}
}

func TestChartEmpty(t *testing.T) {
	t.Parallel()
	for _, slots := range [][][]int64{nil, {{0, 0, 0}, {0, 0, 0}}} {
		doc := draw(t, "en", components.Steps, slots...)
		if doc.Find("svg, table").Length() != 0 || strings.TrimSpace(doc.Find("figure").Text()) != "Nothing moved" {
			t.Errorf("empty chart = %q, want Nothing moved alone", doc.Find("figure").Text())
		}
	}
}

func TestChartForReaders(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{"en": "1,200", "de": "1.200"} {
		doc := draw(t, locale, components.Steps, []int64{1200, 0, 0}, []int64{1190, 0, 10})
		if got := doc.Find("tbody tr").First().Find("td").First().Text(); got != want {
			t.Errorf("%s: table cell = %q, want %q", locale, got, want)
		}
		for id := range strings.FieldsSeq(doc.Find(`svg[role="img"]`).AttrOr("aria-labelledby", "")) {
			if doc.Find("#"+id).Text() == "" {
				t.Errorf("%s: the label %s of the drawing is missing or empty", locale, id)
			}
		}
		if doc.Find("[style]").Length() != 0 {
			t.Errorf("%s: the chart has a style attribute, which the content policy refuses", locale)
		}
	}
}
