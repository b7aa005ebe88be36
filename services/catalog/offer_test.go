package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/catalog"
)

// priced is a catalog that sells packages at prices in euros, without Stripe.
func priced(t *testing.T, prices map[models.Credits]models.Cents) *catalog.Service {
	t.Helper()
	s := &catalog.Service{DB: dbtest.New(t)}
	for credits, cents := range prices {
		if err := s.DB.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents, currency, active)
			VALUES ('price_' || ?::bigint, ?, ?, 'eur', true)`, credits, credits, cents).Error; err != nil {
			t.Fatal(err)
		}
	}
	return s
}

var ourPrices = map[models.Credits]models.Cents{100: 500, 500: 2000, 1200: 3500}

func TestOffers(t *testing.T) {
	t.Parallel()
	figures := func(t *testing.T, s *catalog.Service) []models.Offer {
		t.Helper()
		offers, err := s.Offers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range offers {
			offers[i].Price = models.Price{CreditsPerUnit: o.CreditsPerUnit}
		}
		return offers
	}
	offer := func(credits models.Credits) models.Price { return models.Price{CreditsPerUnit: credits} }
	t.Run("compares the packages, the smallest first", func(t *testing.T) {
		t.Parallel()
		want := []models.Offer{{Price: offer(100)}, {Price: offer(500)}, {Price: offer(1200), Bonus: 200, Best: true}}
		if diff := cmp.Diff(want, figures(t, priced(t, ourPrices))); diff != "" {
			t.Errorf("offers (-want +got):\n%s", diff)
		}
	})
	t.Run("gives a single package at another price no bonus and no mark", func(t *testing.T) {
		t.Parallel()
		want := []models.Offer{{Price: offer(1200)}}
		if diff := cmp.Diff(want, figures(t, priced(t, map[models.Credits]models.Cents{1200: 3900}))); diff != "" {
			t.Errorf("offers (-want +got):\n%s", diff)
		}
	})
	t.Run("marks the cheapest credits, not the largest package", func(t *testing.T) {
		t.Parallel()
		offers := figures(t, priced(t, map[models.Credits]models.Cents{100: 500, 300: 1499, 500: 2499}))
		for i, want := range []bool{false, true, false} {
			if offers[i].Best != want {
				t.Errorf("%d credits are marked %v, want %v", offers[i].CreditsPerUnit, offers[i].Best, want)
			}
		}
	})
}

func TestCover(t *testing.T) {
	t.Parallel()
	s := priced(t, ourPrices)
	for missing, want := range map[models.Credits]struct{ credits, quantity int64 }{
		0: {100, 1}, 1: {100, 1}, 100: {100, 1}, 101: {500, 1}, 501: {1200, 1}, 1200: {1200, 1}, 1201: {1200, 2},
		2400: {1200, 2}, 2401: {1200, 3}, 120_000: {1200, 100}, 120_001: {1200, 100}, 1 << 31: {1200, 100},
	} {
		cover, err := s.Cover(t.Context(), missing)
		if err != nil || cover == nil || int64(cover.Offer.CreditsPerUnit) != want.credits ||
			cover.Quantity != want.quantity || cover.Credits() != models.Credits(want.credits*want.quantity) {
			t.Errorf("cover of %d credits = %+v, %v; want %d × %d credits", missing, cover, err, want.quantity, want.credits)
		}
	}
	if cover, err := priced(t, nil).Cover(t.Context(), 5); cover != nil || err != nil {
		t.Errorf("cover without packages = %+v, %v; want nil", cover, err)
	}
}
