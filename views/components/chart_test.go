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
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// draw renders a chart with a slot for each list of values, in a locale.
func draw(t *testing.T, locale string, kind components.ChartKind, slots ...[]models.Credits) *goquery.Document {
	t.Helper()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := texts.Context(context.Background(), locale)
	data := components.ChartData{ID: "c", Title: "Title", Description: "Description", Empty: "Nothing moved",
		Kind: kind, Series: []string{"In", "Out"}}
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

// numbers reads one attribute of every bar of a series.
func numbers(t *testing.T, doc *goquery.Document, series, attribute string) []float64 {
	t.Helper()
	var list []float64
	doc.Find(`g[data-series="` + series + `"] rect`).Each(func(_ int, bar *goquery.Selection) {
		n, err := strconv.ParseFloat(bar.AttrOr(attribute, ""), 64)
		if err != nil {
			t.Fatalf("%s of a bar: %v", attribute, err)
		}
		list = append(list, n)
	})
	return list
}

func same(t *testing.T, what string, got []float64, want ...float64) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) <= 0.01 }) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestChartOpposed(t *testing.T) {
	t.Parallel()
	doc := draw(t, "en", components.Opposed, []models.Credits{60, 0}, []models.Credits{30, 40}, []models.Credits{0, 20})
	same(t, "heights in", numbers(t, doc, "0", "height"), 60, 30)
	same(t, "tops in", numbers(t, doc, "0", "y"), 0, 30)
	same(t, "heights out", numbers(t, doc, "1", "height"), 40, 20)
	same(t, "tops out", numbers(t, doc, "1", "y"), 60, 60)
	same(t, "offsets out", numbers(t, doc, "1", "x"), 11, 21)
}

func TestChartStacked(t *testing.T) {
	t.Parallel()
	doc := draw(t, "en", components.Stacked, []models.Credits{50, 50}, []models.Credits{20, 30})
	same(t, "heights below", numbers(t, doc, "0", "height"), 50, 20)
	same(t, "tops below", numbers(t, doc, "0", "y"), 50, 80)
	same(t, "heights above", numbers(t, doc, "1", "height"), 50, 30)
	same(t, "tops above", numbers(t, doc, "1", "y"), 0, 50)
}

func TestChartExtremes(t *testing.T) {
	t.Parallel()
	doc := draw(t, "en", components.Opposed, []models.Credits{math.MaxInt64, 1}, []models.Credits{1, -7}, nil)
	same(t, "heights in", numbers(t, doc, "0", "height"), 100, 1.5)
	same(t, "heights out", numbers(t, doc, "1", "height"), 1.5)
	same(t, "tops out", numbers(t, doc, "1", "y"), 98.5)
	if got := doc.Find("tbody tr").Eq(1).Find("td").Last().Text(); got != "0" {
		t.Errorf("a negative value is %q in the table, want 0", got)
	}
}

func TestChartEmpty(t *testing.T) {
	t.Parallel()
	doc := draw(t, "en", components.Opposed, []models.Credits{0, 0}, []models.Credits{-5, 0})
	if doc.Find("svg, table").Length() != 0 || strings.TrimSpace(doc.Find("figure").Text()) != "Nothing moved" {
		t.Errorf("empty chart = %q, want Nothing moved alone", doc.Find("figure").Text())
	}
}

func TestChartForReaders(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{"en": "1,200", "de": "1.200"} {
		doc := draw(t, locale, components.Opposed, []models.Credits{1200, 0}, []models.Credits{0, 10})
		if got := doc.Find("tbody tr").First().Find("td").First().Text(); got != want {
			t.Errorf("%s: table cell = %q, want %q", locale, got, want)
		}
		for _, id := range strings.Fields(doc.Find(`svg[role="img"]`).AttrOr("aria-labelledby", "")) {
			if doc.Find("#"+id).Text() == "" {
				t.Errorf("%s: the label %s of the drawing is missing or empty", locale, id)
			}
		}
		if fill := doc.Find(`g[data-series="1"]`).AttrOr("fill", ""); doc.Find(`pattern[id="c-pattern-1"]`).Length() != 1 ||
			fill != "url(#c-pattern-1)" {
			t.Errorf("%s: credits out are filled with %q, want their pattern", locale, fill)
		}
		if doc.Find("[style]").Length() != 0 {
			t.Errorf("%s: the chart has a style attribute, which the content policy refuses", locale)
		}
	}
}
