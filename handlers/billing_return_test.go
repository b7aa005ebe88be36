package handlers

import (
	"net/url"
	"strings"
	"testing"
)

// Whoever comes back from Stripe in another account is told so, and can sign in with the one that ordered. The
// session's id, which only Stripe and the buyer know, is what shows that they come from there; a purchase's id shows
// nothing.
func TestPurchaseOfAnotherAccount(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.sell()
	ada, eve := d.user("ada@example.com", 0), d.user("eve@example.com", 0)
	p := d.order(ada.ID, "order")
	d.play(p, "pay", "card")
	other := d.member(eve.ID)
	page := "/en/billing?" + url.Values{"session_id": {p.CheckoutSessionID}, "success": {"true"}}.Encode()
	r, doc := other.open(page)
	form := doc.Find("#return-state form")
	if r.status != 200 || !strings.Contains(doc.Text(), "belongs to another account") ||
		form.AttrOr("action", "") != "/logout" || strings.Contains(r.body, ada.Email) {
		t.Fatalf("%d, want words about another account that do not say whose:\n%s", r.status, doc.Find("#content").Text())
	}
	sent := url.Values{}
	for _, name := range []string{"_csrf", "return_to"} {
		sent.Set(name, form.Find(`[name="`+name+`"]`).AttrOr("value", ""))
	}
	if sent.Get("return_to") != page {
		t.Errorf("it leads back to %q, want %q", sent.Get("return_to"), page)
	}
	if r := other.post("/logout", sent); r.status != 303 ||
		r.header.Get("Location") != "/en/login?return_to="+url.QueryEscape(page) {
		t.Errorf("signing out leads to %q (%d)", r.header.Get("Location"), r.status)
	}
	her := d.member(ada.ID)
	if r, doc := her.open(page); r.status != 200 || doc.Find(`#return-state[data-state="booked"]`).Length() != 1 {
		t.Errorf("the buyer sees %d:\n%s", r.status, doc.Find("#content").Text())
	}
	other = d.member(eve.ID)
	for _, path := range []string{"/en/billing?success=true&session_id=cs_of_nobody", "/en/purchase/" + p.ID.String(),
		"/en/billing?success=true&session_id=" + p.ID.String()} {
		if r, doc := other.open(path); r.status != 404 || strings.Contains(doc.Text(), "another account") {
			t.Errorf("%s: %d, want 404 as for any other", path, r.status)
		}
	}
}
