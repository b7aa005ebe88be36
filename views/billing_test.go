package views_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// What the billing page says of a balance, and of the last 30 days, in each state.
func TestBillingStates(t *testing.T) {
	t.Parallel()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	usage := []models.DayUsage{{Begins: noon.AddDate(0, 0, -1), In: 1200, Out: 35}, {Begins: noon}}
	for _, c := range []struct {
		name           string
		user           models.User
		moved          bool
		low, debt, svg int
	}{
		{"enough for the dearest feature", models.User{CreditsBalance: 15}, true, 0, 0, 1},
		{"too little for it", models.User{CreditsBalance: 14}, true, 1, 0, 1},
		{"too little because of what is held", models.User{CreditsBalance: 20, CreditsHeld: 10}, true, 1, 0, 1},
		{"nothing left", models.User{}, true, 1, 0, 1},
		{"below zero", models.User{CreditsBalance: -1}, true, 0, 1, 1},
		{"never had any", models.User{}, false, 0, 0, 0},
	} {
		for locale, total := range map[string]string{"en": "1,200", "de": "1.200"} {
			ctx, _ := texts.Context(context.Background(), locale)
			data := pages.BillingData{Locale: locale, User: c.user, Features: sampleFeatures()}
			if c.moved {
				data.Latest, data.Usage = sampleEntries(), usage
			}
			var page bytes.Buffer
			if err := pages.Billing(data).Render(ctx, &page); err != nil {
				t.Fatal(err)
			}
			doc, err := goquery.NewDocumentFromReader(&page)
			if err != nil {
				t.Fatal(err)
			}
			low, debt, svg := doc.Find("#balance-low").Length(), doc.Find("#balance-negative").Length(), doc.Find(`#usage svg[role="img"]`).Length()
			if low != c.low || debt != c.debt || svg != c.svg {
				t.Errorf("%s, %s: low, debt, picture = %d, %d, %d, want %d, %d, %d", locale, c.name, low, debt, svg, c.low, c.debt, c.svg)
			}
			if text := doc.Find("#usage-text").Text(); strings.Contains(text, total) != c.moved {
				t.Errorf("%s, %s: the sentence about 30 days is %q", locale, c.name, text)
			}
			if n := doc.Find(`.btn[data-variant="primary"]`).Length(); n != 1 {
				t.Errorf("%s, %s: %d primary actions, want 1", locale, c.name, n)
			}
		}
	}
}
