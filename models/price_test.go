package models_test

import (
	"testing"

	"github.com/resume-matcher/credits/models"
)

// A share of a price is never below what a buyer pays for it, nor a whole cent above.
func TestPriceOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unit, credits models.Credits
		price, want   models.Cents
	}{
		{100, 10, 500, 50}, {100, 5, 500, 25}, {500, 10, 2000, 40}, {500, 15, 2000, 60},
		{1200, 10, 3500, 30}, // 29.17
		{1200, 5, 3500, 15},  // 14.58
		{1200, 15, 3500, 44}, // 43.75
		{1200, 1200, 3500, 3500}, {1200, 2400, 3500, 7000}, {3, 1, 1, 1}, {100, 0, 500, 0},
		{1_000_000, 1_000_000_000, 99_999_999, 99_999_999_000},
	} {
		if got := (models.Price{CreditsPerUnit: c.unit, PriceInCents: c.price}).Of(c.credits); got != c.want {
			t.Errorf("%d of %d credits for %d cents cost %d, want %d", c.credits, c.unit, c.price, got, c.want)
		}
	}
	for unit := models.Credits(1); unit < 60; unit++ {
		for credits := range models.Credits(130) {
			got := (models.Price{CreditsPerUnit: unit, PriceInCents: 999}).Of(credits)
			if paid := 999 * models.Cents(credits); got*models.Cents(unit) < paid || (got-1)*models.Cents(unit) >= paid {
				t.Fatalf("%d of %d credits for 999 cents cost %d, want the next whole cent", credits, unit, got)
			}
		}
	}
}
