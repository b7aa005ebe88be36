package catalog

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// MaxQuantity is how many packages one purchase may contain.
const MaxQuantity = 100

// Offers returns the prices on sale, smallest package first. Of equally cheap offers the first is the best.
func (s *Service) Offers(ctx context.Context) ([]models.Offer, error) {
	var offers []models.Offer
	err := s.DB.WithContext(ctx).Raw(`SELECT p.*, coalesce(p.credits_per_unit / f.credits, 0) AS analyses
		FROM prices p LEFT JOIN feature_prices f ON f.feature = ? AND f.active
		WHERE p.active ORDER BY p.credits_per_unit, p.stripe_price_id`, models.ReasonResumeAnalysis).Scan(&offers).Error
	if err != nil {
		return nil, fmt.Errorf("list offers: %w", err)
	}
	best := 0
	for i := range offers {
		o := &offers[i]
		o.Bonus, o.PerHundred = bonus(o.Price), perHundred(o.Price)
		if o.PerHundred < offers[best].PerHundred {
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

// perHundred returns the price of 100 credits, rounded to the cent.
func perHundred(p models.Price) models.Cents {
	return (p.PriceInCents*200 + models.Cents(p.CreditsPerUnit)) / models.Cents(2*p.CreditsPerUnit)
}
