package handlers

import (
	"net/url"
	"strings"
	"testing"
)

// A buyer who returns from Stripe while signed in to another account learns so and can sign in to the one that ordered.
// The Checkout Session's id, known only to Stripe and the buyer, proves the return; a purchase's id proves nothing.
func TestPurchaseOfAnotherAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	ada, eve := f.user("ada@example.com", 0), f.user("eve@example.com", 0)
	p := f.order(ada.ID, "order")
	f.play(p, "pay", "card")
	other := f.member(eve.ID)
	page := "/en/billing?" + url.Values{"session_id": {p.CheckoutSessionID}, "success": {"true"}}.Encode()
	r, doc := other.open(page)
	form := doc.Find("#return-state form")
	if r.status != 200 || !strings.Contains(doc.Text(), "belongs to another account") ||
		form.AttrOr("action", "") != "/logout" || strings.Contains(r.body, ada.Email) {
		t.Fatalf("status %d, want 200 with a note about another account without its address:\n%s", r.status,
			doc.Find("#content").Text())
	}
	sent := url.Values{}
	for _, name := range []string{"_csrf", "return_to"} {
		sent.Set(name, form.Find(`[name="`+name+`"]`).AttrOr("value", ""))
	}
	if sent.Get("return_to") != page {
		t.Errorf("return_to = %q, want %q", sent.Get("return_to"), page)
	}
	if r := other.post("/logout", sent); r.status != 303 ||
		r.header.Get("Location") != "/en/login?return_to="+url.QueryEscape(page) {
		t.Errorf("sign out: redirect to %q with %d, want 303 to the sign-in", r.header.Get("Location"), r.status)
	}
	her := f.member(ada.ID)
	if r, doc := her.open(page); r.status != 200 || doc.Find(`#return-state[data-state="booked"]`).Length() != 1 {
		t.Errorf("the buyer gets status %d, want 200 with the booked purchase:\n%s", r.status, doc.Find("#content").Text())
	}
	other = f.member(eve.ID)
	for _, path := range []string{"/en/billing?success=true&session_id=cs_unknown", "/en/purchase/" + p.ID.String(),
		"/en/billing?success=true&session_id=" + p.ID.String()} {
		if r, doc := other.open(path); r.status != 404 || strings.Contains(doc.Text(), "another account") {
			t.Errorf("%s: status %d, want 404 without the note", path, r.status)
		}
	}
}
