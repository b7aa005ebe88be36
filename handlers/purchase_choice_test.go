package handlers

import (
	"testing"

	"github.com/resume-matcher/credits/models"
)

func TestChoice(t *testing.T) {
	t.Parallel()
	offers := []models.Offer{{Price: models.Price{StripePriceID: "a", CreditsPerUnit: 100, PriceInCents: 500}},
		{Price: models.Price{StripePriceID: "b", CreditsPerUnit: 500, PriceInCents: 450}},
		{Price: models.Price{StripePriceID: "c", CreditsPerUnit: 1200, PriceInCents: 3500}}}
	for _, c := range []struct{ credits, id, quantity, price, count string }{
		{"500", "", "3", "b", "3"}, {"500", "", "", "b", "1"}, {"500", "", "0", "b", "1"}, {"500", "", "101", "b", "1"},
		{"500", "", "1,5", "b", "1"}, {"0500", "", "100", "b", "100"}, {"", "", "3", "", "1"}, {"7", "", "3", "", "1"},
		{"-1", "", "3", "", "1"}, {"<b>", "", "3", "", "1"}, {"", "c", "2", "c", "2"}, {"", "x", "2", "", "1"},
	} {
		if price, count := choice(offers, c.credits, c.id, c.quantity); price != c.price || count != c.count {
			t.Errorf("package=%s&price=%s&quantity=%s: %q × %q, want %q × %q", c.credits, c.id, c.quantity, count, price,
				c.count, c.price)
		}
	}
	for price, want := range map[string]string{"c": "c", "x": "b", "": "b"} {
		if got := onSale(offers, price); got != want {
			t.Errorf("price %q selects %q, want %q: the one asked for, else the lowest", price, got, want)
		}
	}
	if got := onSale(nil, "x"); got != "x" {
		t.Errorf("nothing on sale selects %q, want x as before", got)
	}
}
