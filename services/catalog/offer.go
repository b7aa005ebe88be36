package catalog

import (
	"context"

	"github.com/resume-matcher/credits/models"
)

// Offer is a price on sale with the figures that buyers compare.
type Offer struct {
	models.Price
	Bonus      models.Credits // the part of its credits that is free
	PerHundred models.Cents   // price of 100 credits, rounded to the cent
	Best       bool           // no other offer has cheaper credits; false for a single offer
}

// Offers returns the prices on sale, smallest package first.
func (s *Service) Offers(ctx context.Context) ([]Offer, error) {
	prices, err := s.Prices(ctx)
	return CompareOffers(prices), err
}

// CompareOffers turns prices into offers, in their order. Of equally cheap offers the first is the best.
func CompareOffers(prices []models.Price) []Offer {
	offers, best := make([]Offer, len(prices)), 0
	for i, p := range prices {
		offers[i] = Offer{Price: p, Bonus: bonus(p), PerHundred: perHundred(p)}
		if offers[i].PerHundred < offers[best].PerHundred {
			best = i
		}
	}
	if len(offers) > 1 {
		offers[best].Best = true
	}
	return offers
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
