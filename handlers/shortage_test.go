package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// A form that needs more credits than there are leads to a page that offers the package that covers them, and the way
// back. It calls that neither an error nor by its status.
func TestFormWithoutEnoughCredits(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	f.handler.Site.GateURL = "http://localhost"
	f.handler.Site.ReturnOrigins = []string{"http://localhost"}
	open := func() (reply, *goquery.Document) {
		t.Helper()
		r := f.call("POST", "/api/v1/resumes/upload", uploadBody(100), f.cookie, ownOrigin, "Sec-Fetch-Mode: navigate",
			"Content-Type: multipart/form-data; boundary=x")
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		return r, doc
	}
	if err := f.db.Exec(`DELETE FROM prices`).Error; err != nil {
		t.Fatal(err)
	}
	f.credit(f.user, -95)
	if r, doc := open(); r.status != http.StatusPaymentRequired || doc.Find("#buy").Length() != 0 ||
		!strings.Contains(doc.Find("#offer").Text(), "No credits are on sale") {
		t.Errorf("nothing on sale: status %d, %s; want 402 without a button to buy", r.status, doc.Find("#content").Text())
	}
	f.sell()
	_, doc := open()
	text := doc.Find("#content").Text()
	for _, want := range []string{"Resume analysis: 5\u00a0more credits needed", "costs 10\u00a0credits",
		"100\u00a0credits for €5.00", "Buy and continue", "Later"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page says %s, want %q in it", text, want)
		}
	}
	if strings.Contains(text, "402") || strings.Contains(text, "Error") || strings.Contains(text, "req_") {
		t.Errorf("the page says %s, want no error", text)
	}
	if buy := doc.Find("#buy").AttrOr("href", ""); !strings.HasPrefix(buy,
		"/en/purchase?package=100&returnUrl=http%3A%2F%2Flocalhost%2F") || doc.Find("#later").AttrOr("href", "") !=
		"http://localhost/" {
		t.Errorf("the buttons lead to %s and %s, want the order with the way back, and Resume Matcher", buy,
			doc.Find("#later").AttrOr("href", ""))
	}
}

// What is missing may be in the balance already: the page and the dialog say what is held, and lead to the statements
// that make it usable at once.
func TestShortageNamesHeldCredits(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	f.sell()
	const dialog = "/credits/embed.json?missing=10&required=10"
	if free := f.call("GET", dialog, "", f.cookie); strings.Contains(free.body, `"held"`) {
		t.Errorf("nothing is held: the dialog has %s", free.body)
	}
	f.credit(f.user, -100)
	f.handler.Purchase.HoldWithoutConsent = true
	p := f.order(f.user, "without statements")
	f.play(p, "pay", "card")
	useNow := "/en/purchase/" + p.ID.String() + "/use-now"
	r := f.call("POST", "/api/v1/resumes/upload", uploadBody(100), f.cookie, ownOrigin, "Sec-Fetch-Mode: navigate",
		"Content-Type: multipart/form-data; boundary=x")
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	held := strings.Join(strings.Fields(doc.Find("#held").Text()), " ")
	for _, want := range []string{"500 credits are currently reserved.",
		"You can use 500 credits of purchase " + p.Number.String()} {
		if !strings.Contains(held, want) {
			t.Errorf("the page says %q, want %q in it", held, want)
		}
	}
	if to := doc.Find("#held a").AttrOr("href", ""); r.status != http.StatusPaymentRequired || to != useNow {
		t.Errorf("status %d, the page leads to %q, want 402 and %q", r.status, to, useNow)
	}
	var s embedState
	answer := f.call("GET", dialog, "", f.cookie, "Accept-Language: en")
	if err := json.Unmarshal([]byte(answer.body), &s); err != nil || s.Shortage == nil || len(s.Shortage.Held) != 2 ||
		s.Shortage.Held[1].URL != useNow || s.Shortage.Held[0].URL != "" {
		t.Errorf("the dialog has %s (%v), want both notes", answer.body, err)
	}
}
