package views_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

var foldSpace = regexp.MustCompile(`[ \t\n]+`) // not the protected space

// One form orders: its button says nothing but that the order costs money, right below the total of the cheapest
// package, which alone is selected.
func TestOrderForm(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]struct{ button, total, uses string }{
		"de": {"Zahlungspflichtig bestellen", "5,00\u00a0€", "Lebenslauf-Analyse je 0,30\u00a0€ Stellenabgleich je 0,15\u00a0€"},
		"en": {"Order with obligation to pay", "€5.00", "Resume analysis €0.30 each Job match €0.15 each"}} {
		_, doc := document(t, samplePage(locale), pages.Purchase(pages.PurchaseData{Locale: locale, Key: "k",
			Packages: samplePackages(), Features: sampleFeatures(), PriceID: "price_100", Quantity: "1"}))
		if got := strings.TrimSpace(doc.Find("main form button").Text()); got != want.button {
			t.Errorf("%s: buttons of the form = %q, want %q alone", locale, got, want.button)
		}
		before := strings.Join(strings.Fields(doc.Find("#place-order").Parent().Text()), " ")
		ordered, total := doc.Find("#ordered").Text(), doc.Find("#total").Text()
		if total != want.total || !strings.HasPrefix(ordered, "1 × 100") ||
			!strings.Contains(before, doc.Find("#vat").Text()) {
			t.Errorf("%s: above the button: %q, want 1 × 100 credits, %s and the tax", locale, before, want.total)
		}
		if n := doc.Find("main input[checked]").Length(); n != 1 || !doc.Find("#package-100").Is("[checked]") {
			t.Errorf("%s: %d inputs are checked, want the cheapest package alone", locale, n)
		}
		if got := foldSpace.ReplaceAllString(doc.Find("#facts-1200").Text(), " "); !strings.Contains(got, want.uses) {
			t.Errorf("%s: 1,200 credits: %q, want %q", locale, got, want.uses)
		}
		if doc.Find("#more").Is("[open]") {
			t.Errorf("%s: the quantity is open, want it behind a question", locale)
		}
	}
}

// The form names the methods that pay for every package on it, and claims none that it does not know of.
func TestOrderNamesTheMethodsOfPayment(t *testing.T) {
	t.Parallel()
	const unknown, unbekannt = "Stripe shows them before you pay.", "Stripe zeigt sie Ihnen, bevor Sie bezahlen."
	for _, c := range []struct {
		methods [3][]string // of each package
		en, de  string
	}{
		{[3][]string{}, unknown, unbekannt},
		{[3][]string{{"card", "sepa_debit"}}, "Card, SEPA Direct Debit", "Karte, SEPA-Lastschrift"},
		{[3][]string{{"paypal", "card"}, nil, {"klarna", "card", "paypal"}}, "PayPal, Card", "PayPal, Karte"},
		{[3][]string{{"card", "method_of_next_year"}}, "Card and others", "Karte und weitere"},
		{[3][]string{{"card"}, {"klarna"}}, unknown, unbekannt},
	} {
		packages := samplePackages()
		for i := range packages {
			packages[i].PaymentMethods = c.methods[i]
		}
		for locale, want := range map[string]string{"de": c.de, "en": c.en} {
			_, doc := document(t, samplePage(locale), pages.Purchase(pages.PurchaseData{Locale: locale, Packages: packages,
				PriceID: "price_100", Quantity: "1"}))
			got := strings.Join(strings.Fields(doc.Find("form #methods").Contents().Last().Text()), " ")
			if got != want {
				t.Errorf("%s: %v: payment methods %q, want %q", locale, c.methods, got, want)
			}
		}
	}
}

func TestRefusedOrderKeepsItsInput(t *testing.T) {
	t.Parallel()
	_, doc := document(t, samplePage("en"),
		pages.Purchase(pages.PurchaseData{Locale: "en", Packages: samplePackages(), PriceID: "price_500", Quantity: "1.5",
			Errors: map[string]string{"quantity": "1 to 100"}}))
	field := doc.Find("#quantity")
	if field.AttrOr("value", "") != "1.5" || field.AttrOr("aria-invalid", "") != "true" ||
		doc.Find("#quantity-error").Text() != "1 to 100" || !doc.Find("#more").Is("[open]") {
		t.Error("the page lacks the order's quantity or its error")
	}
	if got := doc.Find("#total").Text(); got != "€20.00" || !doc.Find("#package-500").Is("[checked]") {
		t.Errorf("total = %q, want €20.00 of the selected package", got)
	}
}

// The start page says in its heading what an analysis costs at least, and beside each feature; without packages or
// without the analysis it names no price.
func TestLandingNamesMoney(t *testing.T) {
	t.Parallel()
	show := func(offers []models.Offer, features []pages.Feature) *goquery.Document {
		_, doc := document(t, samplePage("de"),
			pages.Landing(pages.LandingData{Locale: "de", Packages: offers, Features: features}))
		return doc
	}
	doc := show(samplePackages(), sampleFeatures())
	if got := doc.Find("h1").Text(); got != "Lebenslauf-Analyse ab\u00a00,30\u00a0€" {
		t.Errorf("heading = %q, want the lowest price of an analysis", got)
	}
	if got := doc.Find("#cost-resume_improvement").Text(); got != "15\u00a0Credits · ab 0,44\u00a0€" {
		t.Errorf("improvement costs %q, want 15 credits from 0.44", got)
	}
	one := show(samplePackages()[:1], sampleFeatures())
	if got := one.Find("#cost-job_match").Text(); got != "5\u00a0Credits · 0,25\u00a0€" {
		t.Errorf("job match with one package costs %q, want 5 credits, 0.25", got)
	}
	for name, doc := range map[string]*goquery.Document{"no packages": show(nil, sampleFeatures()),
		"no analysis": show(samplePackages(), sampleFeatures()[1:])} {
		if got := doc.Find("h1").Text(); strings.Contains(got, "€") || got == "" {
			t.Errorf("%s: heading = %q, want one without a price", name, got)
		}
	}
}

// Whoever decides what to buy reads that an upload counts as an analysis, unless the operator sells something else
// under that name.
func TestPriceListsSayWhatAnUploadCosts(t *testing.T) {
	t.Parallel()
	const note = "Uploading a resume counts as an analysis, too."
	renamed := sampleFeatures()
	renamed[0].Label = "Checks"
	for name, c := range map[string]struct {
		features []pages.Feature
		want     string
	}{"ours": {sampleFeatures(), note}, "renamed": {renamed, ""}, "not offered": {sampleFeatures()[1:], ""}} {
		_, order := document(t, samplePage("en"), pages.Purchase(pages.PurchaseData{Locale: "en",
			Packages: samplePackages(), Features: c.features, PriceID: "price_100", Quantity: "1"}))
		_, billing := document(t, samplePage("en"), pages.Billing(pages.BillingData{Locale: "en", Features: c.features}))
		_, landing := document(t, samplePage("en"),
			pages.Landing(pages.LandingData{Locale: "en", Packages: samplePackages(), Features: c.features}))
		for page, got := range map[string]string{"order": order.Find("#order #note-resume_analysis").Text(),
			"billing": billing.Find("#feature-costs #note-resume_analysis").Text()} {
			if got != c.want {
				t.Errorf("%s: %s: note = %q, want %q", name, page, got, c.want)
			}
		}
		if got := strings.Contains(landing.Find("#features").Text(), note); got != (c.want != "") {
			t.Errorf("%s: landing: note shown = %v", name, got)
		}
	}
}

// A buyer who came from Resume Matcher has one way back to it.
func TestOneWayBackToResumeMatcher(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		back *pages.WayBack
		want int
	}{"from Resume Matcher": {&pages.WayBack{URL: "/dashboard"}, 0},
		"from another site": {&pages.WayBack{URL: "https://jobs.example", Site: "jobs.example"}, 1}, "from here": {nil, 1}} {
		_, doc := document(t, samplePage("en"), pages.Billing(pages.BillingData{Locale: "en", Features: sampleFeatures(),
			Matcher: "/", Return: &pages.ReturnState{Return: models.Return{Kind: models.ReturnBooked}, Back: c.back}}))
		if got := doc.Find("#resume-matcher").Length(); got != c.want {
			t.Errorf("%s: %d other links to Resume Matcher, want %d", name, got, c.want)
		}
	}
}
