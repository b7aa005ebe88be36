package catalog

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// Offers returns the prices on sale, for pages to show: see Shown. Callers must not modify them.
func (s *Service) Offers(ctx context.Context) ([]models.Offer, error) {
	return s.Shown.Get(ctx, s.CurrentOffers)
}

// CurrentOffers returns the prices on sale now, smallest package first. Of equally cheap offers the first is the best.
func (s *Service) CurrentOffers(ctx context.Context) ([]models.Offer, error) {
	var offers []models.Offer
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM prices WHERE active ORDER BY credits_per_unit, stripe_price_id`).
		Scan(&offers).Error
	if err != nil {
		return nil, fmt.Errorf("list offers: %w", err)
	}
	best := 0
	for i := range offers {
		o := &offers[i]
		o.Bonus = bonus(o.Price)
		if cheaper(o.Price, offers[best].Price) {
			best = i
		}
	}
	if len(offers) > 1 {
		offers[best].Best = true
	}
	return offers, nil
}

// Cover returns the smallest package with at least credits, or as many of the largest as needed, up to MaxQuantity. It
// returns nil when nothing is on sale.
func (s *Service) Cover(ctx context.Context, credits models.Credits) (*models.Cover, error) {
	offers, err := s.Offers(ctx)
	if err != nil || len(offers) == 0 {
		return nil, err
	}
	for _, o := range offers { // the smallest first
		if o.CreditsPerUnit >= credits {
			return &models.Cover{Offer: o, Quantity: 1}, nil
		}
	}
	largest := offers[len(offers)-1]
	needed := int64((credits + largest.CreditsPerUnit - 1) / largest.CreditsPerUnit)
	return &models.Cover{Offer: largest, Quantity: min(needed, MaxQuantity)}, nil
}

// bonus returns the free credits of a price. Only our own packages have any, and only at their own price.
func bonus(p models.Price) models.Credits {
	for _, own := range packages {
		if own.Credits == p.CreditsPerUnit && own.Cents == p.PriceInCents && p.Currency == Currency {
			return own.Bonus
		}
	}
	return 0
}

// cheaper reports whether a credit costs less at price a than at price b.
func cheaper(a, b models.Price) bool {
	return a.PriceInCents*models.Cents(b.CreditsPerUnit) < b.PriceInCents*models.Cents(a.CreditsPerUnit)
}
