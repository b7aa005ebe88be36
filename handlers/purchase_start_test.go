package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// The order's answer leads to where it is paid when the policy lets a form lead there. Where it does not, as with a
// domain of the seller's, the order's own page leads on, once, and has the button.
func TestLeadingToPay(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.sell()
	her := d.member(d.user("ada@example.com", 0).ID)
	order := func() string {
		t.Helper()
		_, doc := her.open("/en/purchase")
		form := doc.Find("#buy-500").Closest("form")
		sent := url.Values{"quantity": {"1"}}
		for _, name := range []string{"_csrf", "price_id", "idempotency_key"} {
			sent.Set(name, form.Find(`[name="`+name+`"]`).AttrOr("value", ""))
		}
		r := her.post("/en/purchase", sent)
		if r.status != 303 {
			t.Fatalf("ordering: %d %s", r.status, r.body)
		}
		return r.header.Get("Location")
	}
	page := order()
	if !strings.HasPrefix(page, "/en/purchase/") {
		t.Fatalf("the order leads to %s, where no form may lead", page)
	}
	var p models.Purchase
	if err := d.db.Take(&p).Error; err != nil {
		t.Fatal(err)
	}
	paying := member{d, her.cookie + "; " + flashCookie + "=" + flashPaying}
	r, doc := paying.open(page)
	if r.header.Get("Refresh") != "0; url="+p.CheckoutURL || doc.Find("#pay").AttrOr("href", "") != p.CheckoutURL ||
		doc.Find("#flash p").Length() != 1 {
		t.Errorf("the order's page leads to %q, its button to %q, want %q", r.header.Get("Refresh"),
			doc.Find("#pay").AttrOr("href", ""), p.CheckoutURL)
	}
	if r, _ := her.open(page); r.header.Get("Refresh") != "" {
		t.Errorf("whoever comes back is sent to %q again", r.header.Get("Refresh"))
	}
	d.play(p, "pay", "card")
	if r, _ := paying.open(page); r.header.Get("Refresh") != "" {
		t.Errorf("a paid order leads to %q", r.header.Get("Refresh"))
	}
	pay, err := url.Parse(p.CheckoutURL)
	if err != nil {
		t.Fatal(err)
	}
	d.handler.Site.FormTargets = []string{pay.Scheme + "://" + pay.Host}
	if to := order(); !strings.HasPrefix(to, d.handler.Site.FormTargets[0]+"/") {
		t.Errorf("the order leads to %s, want straight to where it is paid", to)
	}
}
