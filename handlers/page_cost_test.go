package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
)

// What is the same for everybody is kept.
func TestRoundTripsOfPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	her := f.member(f.user("ada@example.com", 500).ID)
	f.handler.Catalog.Shown.Life, f.handler.Spend.Shown.Life = time.Hour, time.Hour
	for _, c := range []struct {
		what, path string
		signedIn   bool
		want       int64
	}{
		{"the start page", "/en", false, 0},
		{"the start page in German", "/de", false, 0},
		{"the packages", "/en/purchase", true, 1},
		{"the history", "/en/history", true, 2},
		{"the billing page", "/en/billing", true, 2},
	} {
		header, status := "", 0
		if c.signedIn {
			header = "Cookie: " + her.cookie
		}
		trips := f.roundTrips(func(int) { status = f.call("GET", c.path, "", header).status })
		if status != http.StatusOK || trips != c.want {
			t.Errorf("%s: status %d with %d round trips, want 200 with %d", c.what, status, trips, c.want)
		}
	}
	first := f.roundTrips(func(int) {
		f.handler.Catalog.Shown.Forget()
		f.handler.Spend.Shown.Forget()
		f.call("GET", "/en", "")
	})
	if first != 2 {
		t.Errorf("the first start page, with the packages and the features: %d round trips, want 2", first)
	}
}

// The kept start page follows each change of a price, of a feature and of what is on sale.
func TestStartPageShowsChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	f.handler.Catalog.Shown.Life, f.handler.Spend.Shown.Life = time.Hour, time.Hour
	f.handler.Admin.PricesChanged = func() { f.handler.Catalog.Shown.Forget(); f.handler.Spend.Shown.Forget() }
	shows := func(when, text string, want bool) {
		t.Helper()
		for range 2 {
			if r := f.call("GET", "/en", ""); strings.Contains(r.body, text) != want {
				t.Errorf("%s: the start page shows %q: %t, want %t", when, text, !want, want)
			}
		}
	}
	shows("at first", "Cover letter", false)
	err := f.handler.Admin.SetFeature(t.Context(), admin.FeatureChange{ActorID: f.user("eve@example.com", 0).ID,
		Feature: "cover_letter", New: true, Credits: 3, Active: true, LabelEN: "Cover letter", LabelDE: "Anschreiben"})
	if err != nil {
		t.Fatal(err)
	}
	shows("with another feature", "Cover letter", true)
	err = f.handler.Admin.SetFeature(t.Context(), admin.FeatureChange{ActorID: f.user("bob@example.com", 0).ID,
		Feature: "cover_letter", Credits: 3, Active: true, LabelEN: "Covering letter", LabelDE: "Anschreiben"})
	if err != nil {
		t.Fatal(err)
	}
	shows("with another name", "Covering letter", true)
	if r := f.call("GET", "/de", ""); !strings.Contains(r.body, "Anschreiben") {
		t.Error("the German start page does not show Anschreiben")
	}
	shows("at first", "\u20ac20.00", true)
	if err := f.db.Exec(`UPDATE prices SET active = false`).Error; err != nil {
		t.Fatal(err)
	}
	shows("while the prices are kept", "\u20ac20.00", true)
	f.handler.Catalog.Shown.Forget()
	shows("when nothing is on sale", "\u20ac20.00", false)
}

// A page may show a price that another server has just changed. An order at that price is not placed: the form comes
// back with the new one.
func TestNoOrderAtAKeptPrice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	her := f.member(f.user("ada@example.com", 0).ID)
	f.handler.Catalog.Shown.Life = time.Hour
	order := func() url.Values {
		_, doc := her.open("/en/purchase?package=500")
		return sentBy(doc.Find("#order"))
	}
	before := order()
	change := f.db.Exec(`UPDATE prices SET price_in_cents = 2100 WHERE credits_per_unit = 500`)
	if change.Error != nil || change.RowsAffected != 1 {
		t.Fatalf("%d prices changed, %v", change.RowsAffected, change.Error)
	}
	if kept := order(); kept.Get("total") != before.Get("total") {
		t.Fatalf("the total is %s, want the kept %s", kept.Get("total"), before.Get("total"))
	}
	r := her.post("/en/purchase", before)
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	if total := doc.Find(`#order [name="total"]`).AttrOr("value", ""); r.status !=
		http.StatusUnprocessableEntity || total != "2100" {
		t.Errorf("status %d with a total of %s, want 422 with 2100", r.status, total)
	}
	var orders int64
	if err := f.db.Model(&models.Purchase{}).Count(&orders).Error; err != nil || orders != 0 {
		t.Errorf("%d orders, %v; want none", orders, err)
	}
}
