package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
)

// An order redirects to Checkout when the content policy allows forms to redirect there. Otherwise, as with the
// seller's own Checkout domain, the order's page refreshes to Checkout once and has a button.
func TestOrderRedirectsToCheckout(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	her := f.member(f.user("ada@example.com", 0).ID)
	order := func() string {
		t.Helper()
		_, doc := her.open("/en/purchase?package=500")
		r := her.post("/en/purchase", sentBy(doc.Find("#order")))
		if r.status != 303 {
			t.Fatalf("order: status %d, want 303: %s", r.status, r.body)
		}
		return r.header.Get("Location")
	}
	page := order()
	if !strings.HasPrefix(page, "/en/purchase/") {
		t.Fatalf("the order redirects to %s, want its own page, which the policy allows", page)
	}
	var p models.Purchase
	if err := f.db.Take(&p).Error; err != nil {
		t.Fatal(err)
	}
	paying := member{f, her.cookie + "; " + flashCookie + "=" + flashPaying}
	r, doc := paying.open(page)
	if r.header.Get("Refresh") != "0; url="+p.CheckoutURL || doc.Find("#pay").AttrOr("href", "") != p.CheckoutURL ||
		doc.Find("#flash p").Length() != 1 {
		t.Errorf("the order's page refreshes to %q, its button links to %q, want %q and a message", r.header.Get("Refresh"),
			doc.Find("#pay").AttrOr("href", ""), p.CheckoutURL)
	}
	if r, _ := her.open(page); r.header.Get("Refresh") != "" {
		t.Errorf("a later visit refreshes to %q, want none", r.header.Get("Refresh"))
	}
	f.play(p, "pay", "card")
	if r, _ := paying.open(page); r.header.Get("Refresh") != "" {
		t.Errorf("a paid order refreshes to %q, want none", r.header.Get("Refresh"))
	}
	pay, err := url.Parse(p.CheckoutURL)
	if err != nil {
		t.Fatal(err)
	}
	f.handler.Site.FormTargets = []string{pay.Scheme + "://" + pay.Host}
	if to := order(); !strings.HasPrefix(to, f.handler.Site.FormTargets[0]+"/") {
		t.Errorf("the order redirects to %s, want Checkout", to)
	}
}

// Before the first order of an installation, the form already names the methods of payment.
func TestOrderNamesTheMethodsBeforeTheFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	her := f.member(f.user("ada@example.com", 0).ID)
	for locale, want := range map[string]string{"en": "Card, SEPA Direct Debit", "de": "Karte, SEPA-Lastschrift"} {
		_, doc := her.open("/" + locale + "/purchase")
		if got := doc.Find("#order #methods").Text(); !strings.Contains(got, want) {
			t.Errorf("%s: methods of payment %q, want %q", locale, got, want)
		}
	}
}

// sentBy returns what a browser sends of a form that it shows.
func sentBy(form *goquery.Selection) url.Values {
	sent := url.Values{}
	for _, field := range form.Find("input[name]").EachIter() {
		if !field.Is("[type=radio], [type=checkbox]") || field.Is("[checked]") {
			sent.Set(field.AttrOr("name", ""), field.AttrOr("value", ""))
		}
	}
	return sent
}

// No order is placed at a total that its form did not show: one of another package or quantity is shown again.
func TestOrderShowsItsTotalFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	her := f.member(f.user("ada@example.com", 0).ID)
	_, doc := her.open("/de/purchase")
	for _, c := range []struct{ credits, quantity, total, shown string }{
		{"500", "1", "2000", "20,00\u00a0€"}, {"500", "3", "6000", "60,00\u00a0€"}, {"1200", "3", "10500", "105,00\u00a0€"},
		{"100", "1", "500", "5,00\u00a0€"}} {
		sent := sentBy(doc.Find("#order"))
		sent.Set("quantity", c.quantity)
		sent.Set("price_id", doc.Find("#package-"+c.credits).AttrOr("value", ""))
		r := her.post("/de/purchase", sent)
		var err error
		if doc, err = goquery.NewDocumentFromReader(strings.NewReader(r.body)); err != nil || r.status != 422 {
			t.Fatalf("%s units at the total of another quantity: status %d (%v), want 422", c.quantity, r.status, err)
		}
		if got, total := doc.Find("#total").Text(), doc.Find(`[name="total"]`).AttrOr("value", ""); got != c.shown ||
			total != c.total || doc.Find(`[name="quantity"]`).AttrOr("value", "") != c.quantity ||
			!doc.Find("#package-"+c.credits).Is("[checked]") || !doc.Find("#summary").Is("[autofocus]") {
			t.Errorf("the page shows %q (%s) for %s × %s credits, want %q (%s)", got, total, c.quantity, c.credits, c.shown,
				c.total)
		}
	}
	var orders int64
	if err := f.db.Model(&models.Purchase{}).Count(&orders).Error; err != nil || orders != 0 {
		t.Errorf("%d orders (%v), want none", orders, err)
	}
}
