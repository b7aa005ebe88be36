package handlers

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// The way back leads where the visitor came from: to the balance or, from anywhere else, to the history.
func TestPurchaseLeadsBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	her := f.member(f.user("ada@example.com", 0).ID)
	_, doc := her.open("/de/purchase")
	order := sentBy(doc.Find("#order"))
	if r := her.post("/de/purchase", order); r.status != 303 {
		t.Fatalf("order: status %d, want 303", r.status)
	}
	var id string
	if err := f.db.Raw(`SELECT id FROM purchases`).Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		"http://localhost/de/billing": "/de/billing", "http://localhost/de/billing?canceled=true": "/de/billing",
		"http://localhost/de/history": "/de/history", "http://localhost/en/billing": "/de/history", "": "/de/history",
		"https://evil.example/": "/de/history", "%zz": "/de/history",
	} {
		r := her.call("GET", "/de/purchase/"+id, "", "Cookie: "+her.cookie, "Referer: "+from)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := doc.Find("#back").AttrOr("href", ""); got != want {
			t.Errorf("from %q: the way back leads to %q (status %d), want %q", from, got, r.status, want)
		}
	}
}
