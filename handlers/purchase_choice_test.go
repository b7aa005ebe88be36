package handlers

import (
	"testing"

	"github.com/resume-matcher/credits/models"
)

func TestChoice(t *testing.T) {
	t.Parallel()
	offers := []models.Offer{{Price: models.Price{StripePriceID: "a", CreditsPerUnit: 100}},
		{Price: models.Price{StripePriceID: "b", CreditsPerUnit: 500}},
		{Price: models.Price{StripePriceID: "c", CreditsPerUnit: 1200}}}
	for _, c := range []struct{ credits, quantity, price, count string }{
		{"500", "3", "b", "3"}, {"500", "", "b", "1"}, {"500", "0", "b", "1"}, {"500", "101", "b", "1"},
		{"500", "1,5", "b", "1"},
		{"0500", "100", "b", "100"}, {"", "3", "", "1"}, {"7", "3", "", "1"}, {"-1", "3", "", "1"}, {"<b>", "3", "", "1"},
	} {
		if price, count := choice(offers, c.credits, c.quantity); price != c.price || count != c.count {
			t.Errorf("package=%s&quantity=%s: %q × %q, want %q × %q", c.credits, c.quantity, count, price, c.count,
				c.price)
		}
	}
}
