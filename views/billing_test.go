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

// The billing page shows the balance and the last 30 days in each state.
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
		{"enough for the most expensive feature", models.User{CreditsBalance: 15}, true, 0, 0, 1},
		{"too little for that feature", models.User{CreditsBalance: 14}, true, 1, 0, 1},
		{"too little because of held credits", models.User{CreditsBalance: 20, CreditsHeld: 10}, true, 1, 0, 1},
		{"nothing left", models.User{}, true, 1, 0, 1},
		{"below zero", models.User{CreditsBalance: -1}, true, 0, 1, 1},
		{"no entries yet", models.User{}, false, 0, 0, 0},
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
			low, debt := doc.Find("#balance-low").Length(), doc.Find("#balance-negative").Length()
			svg := doc.Find(`#usage svg[role="img"]`).Length()
			if low != c.low || debt != c.debt || svg != c.svg {
				t.Errorf("%s, %s: low, debt, picture = %d, %d, %d, want %d, %d, %d", locale, c.name, low, debt, svg, c.low, c.debt,
					c.svg)
			}
			if text := doc.Find("#usage-text").Text(); strings.Contains(text, total) != c.moved {
				t.Errorf("%s, %s: sentence about 30 days = %q, contains %s: want %v", locale, c.name, text, total, c.moved)
			}
			if n := doc.Find(`.btn[data-variant="primary"]`).Length(); n != 1 {
				t.Errorf("%s, %s: %d primary actions, want 1", locale, c.name, n)
			}
		}
	}
}

// A negative balance names the package that settles it and the credits left afterwards. Held credits are shown beside
// available ones.
func TestDebtAndHeldCredits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		locale         string
		balance, held  models.Credits
		selector, want string
	}{
		{"en", -90, 0, "#balance-negative", "of 100\u00a0credits for €5.00, 10\u00a0credits are left"},
		{"en", -99, 0, "#balance-negative", "1\u00a0credit is left"},
		{"en", -100, 0, "#balance-negative", "100\u00a0credits for €5.00 are exactly enough"},
		{"en", -101, 0, "#balance-negative", "offsets this first. You can spend what is left"},
		{"en", -1, 0, "#balance-negative strong", "Your account is 1\u00a0credit below zero"},
		{"de", -90, 0, "#balance-negative", "Von 100\u00a0Credits für 5,00\u00a0€ bleiben Ihnen 10\u00a0Credits"},
		{"de", -99, 0, "#balance-negative", "bleibt Ihnen 1\u00a0Credit."},
		{"de", -1234567, 0, "#balance-negative strong", "Ihr Konto ist mit 1.234.567\u00a0Credits im Minus"},
		{"de", 21, 20, "#balance-held", "20\u00a0Credits sind"},
		{"de", 21, 20, "#balance-figure", "1\u00a0Credit"},
		{"de", 21, 1, "#balance-held", "1\u00a0Credit ist"},
		{"en", 0, 0, "#first-offer", "100\u00a0credits for €5.00"},
	} {
		_, doc := document(t, samplePage(c.locale),
			pages.Billing(pages.BillingData{Locale: c.locale, Features: sampleFeatures(),
				User:  models.User{CreditsBalance: c.balance, CreditsHeld: c.held},
				Cover: &models.Cover{Offer: samplePackages()[0], Quantity: 1}}))
		if text := doc.Find(c.selector).Text(); !strings.Contains(text, c.want) {
			t.Errorf("%s, %d credits, %d held: text %q, want %q in it", c.locale, c.balance, c.held, text, c.want)
		}
		wantPath := "/" + c.locale + "/purchase"
		if c.balance < 0 {
			wantPath += "?package=100"
		}
		if href := doc.Find("#buy").AttrOr("href", ""); href != wantPath {
			t.Errorf("%s, %d credits: #buy links to %s, want %s", c.locale, c.balance, href, wantPath)
		}
	}
}
