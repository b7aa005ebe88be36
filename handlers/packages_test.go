package handlers

import (
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/views/pages"
)

func offers() []pages.Package {
	return packages(catalog.CompareOffers([]models.Price{
		{StripePriceID: "a", CreditsPerUnit: 100, PriceInCents: 500, Currency: "eur"},
		{StripePriceID: "b", CreditsPerUnit: 500, PriceInCents: 2000, Currency: "eur"},
		{StripePriceID: "c", CreditsPerUnit: 1200, PriceInCents: 3500, Currency: "eur"},
	}), []models.FeaturePrice{{Feature: models.ReasonResumeAnalysis, Credits: 10}})
}

func TestPackages(t *testing.T) {
	t.Parallel()
	for i, want := range []pages.Package{{PerHundred: 500, Analyses: 10}, {PerHundred: 400, Analyses: 50},
		{PerHundred: 292, Analyses: 120, Bonus: 200, Best: true}} {
		got := offers()[i]
		if want.Price = got.Price; got != want {
			t.Errorf("package %d = %+v, want %+v", i, got, want)
		}
	}
	other := packages(catalog.CompareOffers([]models.Price{{CreditsPerUnit: 1200, PriceInCents: 3900, Currency: "eur"}}),
		nil)[0]
	if other.Bonus != 0 || other.Best || other.Analyses != 0 {
		t.Errorf("a single package at another price, without features = %+v, want no bonus, mark or analyses", other)
	}
}

func TestCovering(t *testing.T) {
	t.Parallel()
	for missing, want := range map[models.Credits]struct {
		price    string
		quantity int64
	}{
		0: {"a", 1}, 1: {"a", 1}, 100: {"a", 1}, 101: {"b", 1}, 501: {"c", 1}, 1200: {"c", 1}, 1201: {"c", 2}, 2401: {"c", 3},
		120_000: {"c", 100}, 120_001: {"c", 100}, 1 << 31: {"c", 100},
	} {
		p, quantity := covering(offers(), missing)
		if p == nil || p.Price.StripePriceID != want.price || quantity != want.quantity {
			t.Errorf("covering %d credits: %d × %+v, want %d × %s", missing, quantity, p, want.quantity, want.price)
		}
	}
	if p, _ := covering(nil, 5); p != nil {
		t.Errorf("covering without packages = %+v, want nil", p)
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ credits, quantity, price, count string }{
		{"500", "3", "b", "3"}, {"500", "", "b", "1"}, {"500", "0", "b", "1"}, {"500", "101", "b", "1"},
		{"500", "1,5", "b", "1"},
		{"0500", "100", "b", "100"}, {"", "3", "", "1"}, {"7", "3", "", "1"}, {"-1", "3", "", "1"}, {"<b>", "3", "", "1"},
	} {
		if price, count := choice(offers(), c.credits, c.quantity); price != c.price || count != c.count {
			t.Errorf("package=%s&quantity=%s: %q × %q, want %q × %q", c.credits, c.quantity, count, price, c.count,
				c.price)
		}
	}
}
