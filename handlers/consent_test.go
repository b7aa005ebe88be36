package handlers

import (
	"net/url"
	"testing"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// A stored version names one wording. If a text must change, models.ConsentVersion changes, and its hashes here.
func TestConsentVersionNamesItsWording(t *testing.T) {
	t.Parallel()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"version": "2026-11",
		"de": "8e63f570688e186fc67c8758d6f39ad4bb5379dbcad69208b3b9a0bfbb841ad9",
		"en": "c65b72c9e47ccb363ffcd1be377309aad147e02fe336a294bd841a6321a389da"}
	if models.ConsentVersion != want["version"] {
		t.Errorf("version = %s, want %s", models.ConsentVersion, want["version"])
	}
	for _, code := range texts.Codes() {
		in, _ := texts.Context(t.Context(), code)
		var shown []string
		for _, key := range pages.ConsentTexts {
			shown = append(shown, locales.T(in, key))
		}
		if got := models.ConsentHash(shown); got != want[code] {
			t.Errorf("SHA-256 of the statements in %s = %s, want %s: a changed text needs a new version", code, got, want[code])
		}
	}
}

// The order page offers two statements, unticked. An order stores those that the buyer ticks and no others, and none
// whose wording has changed since.
func TestOrderStoresTheConsent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	her := f.member(f.user("ada@example.com", 0).ID)
	_, doc := her.open("/de/purchase?package=500")
	form := doc.Find("#order")
	if boxes := form.Find(`input[type="checkbox"]`); boxes.Length() != 2 ||
		boxes.Filter("[checked], [required]").Length() != 0 {
		t.Fatalf("the form has %d boxes, want 2 that are neither ticked nor required", boxes.Length())
	}
	order := func(ticked ...string) url.Values {
		sent := sentBy(form)
		for _, name := range ticked {
			sent.Set(name, "on")
		}
		return sent
	}
	for _, c := range []struct {
		ticked              []string
		early, compensation bool
	}{
		{nil, false, false}, {[]string{"consent_early_start"}, true, false},
		{[]string{"consent_early_start", "consent_compensation"}, true, true},
	} {
		if r := her.post("/de/purchase", order(c.ticked...)); r.status != 303 {
			t.Fatalf("order with %v ticked: status %d, want 303", c.ticked, r.status)
		}
		var p models.Purchase
		if err := f.db.Order("created_at DESC").Limit(1).Take(&p).Error; err != nil {
			t.Fatal(err)
		}
		var got models.Consent
		if p.Consent != nil {
			got = *p.Consent
		}
		if got.EarlyStart != c.early || got.Compensation != c.compensation || (p.Consent != nil) != (c.ticked != nil) ||
			p.Consent != nil && (got.Locale != "de" || len(got.Texts) != 2) {
			t.Errorf("%v ticked: consent = %+v, want early start %v, compensation %v", c.ticked, p.Consent, c.early,
				c.compensation)
		}
	}
	stale := order("consent_early_start")
	stale.Set("consent_version", "2025-01")
	if r := her.post("/de/purchase", stale); r.status != 422 {
		t.Errorf("order with an older wording: status %d, want 422", r.status)
	}
	var orders int64
	if err := f.db.Model(&models.Purchase{}).Count(&orders).Error; err != nil || orders != 3 {
		t.Errorf("%d orders (%v), want 3: one for each declaration", orders, err)
	}
}
