package handlers

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
)

// The order page says what happens without the statements. The buyer of such an order finds out until when its credits
// are held, and can make the statements later.
func TestHeldCreditsCanBeUsedNow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	user := f.user("ada@example.com", 0)
	her := f.member(user.ID)
	hint := func() string {
		_, doc := her.open("/de/purchase?package=500")
		return strings.Join(strings.Fields(doc.Find("#consent-hint").Text()), " ")
	}
	if got := hint(); !strings.Contains(got, "sofort nutzen") {
		t.Errorf("by default, the order page says %q, want that credits can be used at once", got)
	}
	f.handler.Purchase.HoldWithoutConsent = true
	if got := hint(); !strings.Contains(got, "14 Tage nach der Bestellung") {
		t.Errorf("the order page says %q, want when credits can be used without statements", got)
	}
	p := f.order(user.ID, "order")
	f.play(p, "pay", "card")
	path := "/de/purchase/" + p.ID.String()
	for page, id := range map[string]string{path: "#ask-use-now", "/de/billing": "#held-" + p.ID.String() + " a"} {
		_, doc := her.open(page)
		if link, _ := doc.Find(id).Attr("href"); link != path+"/use-now" {
			t.Errorf("%s leads to %q, want %s", page, link, path+"/use-now")
		}
	}
	_, doc := her.open(path + "/use-now")
	form := doc.Find("form:has(#use-now)")
	if boxes := form.Find(`input[type="checkbox"]`); boxes.Length() != 2 || boxes.Filter("[checked]").Length() != 0 {
		t.Fatalf("the form has %d boxes, want 2 that are not ticked", boxes.Length())
	}
	sent := sentBy(form)
	for _, c := range []struct {
		name, version string
		ticked        []string
		errors        int
		status        int
	}{
		{"nothing is ticked", models.ConsentVersion, nil, 2, 422},
		{"one box is ticked", models.ConsentVersion, []string{"consent_early_start"}, 1, 422},
		{"the wording is older", "2025-01", []string{"consent_early_start", "consent_compensation"}, 0, 422},
		{"both are ticked", models.ConsentVersion, []string{"consent_early_start", "consent_compensation"}, 0, 303},
		{"both are ticked again", models.ConsentVersion, []string{"consent_early_start", "consent_compensation"}, 0, 303},
	} {
		sent.Del("consent_early_start")
		sent.Set("consent_version", c.version)
		for _, name := range c.ticked {
			sent.Set(name, "on")
		}
		r := her.post(path+"/use-now", sent)
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		if r.status != c.status || doc.Find(".field-error").Length() != c.errors ||
			doc.Find("input[checked]").Length() != len(c.ticked) && c.status == 422 {
			t.Errorf("%s: status %d with %d errors, want %d with %d, and the boxes kept", c.name, r.status,
				doc.Find(".field-error").Length(), c.status, c.errors)
		}
	}
	if r, _ := her.open(path + "/use-now"); r.status != 303 {
		t.Errorf("the form afterwards: status %d, want 303", r.status)
	}
	var u models.User
	if err := f.db.Take(&u, user.ID).Error; err != nil || u.Available() != u.CreditsBalance || u.CreditsBalance == 0 {
		t.Errorf("%d of %d credits available (%v), want all", u.Available(), u.CreditsBalance, err)
	}
}
