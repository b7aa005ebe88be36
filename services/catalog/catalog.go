// Package catalog is what the product sells: packages and their prices, pushed to and pulled from Stripe.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"

	"github.com/stripe/stripe-go/v79/client"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// ProductID is the one product to which all packages belong; Stripe lets us choose it.
const ProductID = "resume_matcher_credits"

// Currency is the currency in which packages are sold, as Stripe writes it.
const Currency = "eur"

// Package is one size in which credits are sold.
type Package struct {
	Credits models.Credits
	Cents   models.Cents   // VAT included
	Bonus   models.Credits // of the credits
}

// packages are what the product sells. `credits prices sync` brings Stripe to this list.
var packages = []Package{{Credits: 100, Cents: 500}, {Credits: 500, Cents: 2000}, {Credits: 1200, Cents: 3500, Bonus: 200}}

// Packages returns what the product sells.
func Packages() []Package { return slices.Clone(packages) }

// LookupKey names the package at Stripe, whatever price object stands for it today.
func (p Package) LookupKey() string { return fmt.Sprintf("resume_matcher_credits_%d", p.Credits) }

// Bonus returns how many of a price's credits come on top of those that it pays for. Only our own packages have any, at
// the price that we gave them.
func Bonus(p models.Price) models.Credits {
	for _, own := range packages {
		if own.Credits == p.CreditsPerUnit && own.Cents == p.PriceInCents && p.Currency == Currency {
			return own.Bonus
		}
	}
	return 0
}

// Service keeps the prices at Stripe and in our table.
type Service struct {
	DB     *gorm.DB
	Stripe *client.API
	Log    *slog.Logger
}

// Prices returns the packages on sale, smallest first.
func (s *Service) Prices(ctx context.Context) ([]models.Price, error) {
	var prices []models.Price
	if err := s.DB.WithContext(ctx).Where("active").Order("credits_per_unit, stripe_price_id").Find(&prices).Error; err != nil {
		return nil, fmt.Errorf("prices on sale: %w", err)
	}
	return prices, nil
}

// ActivePrice returns a price that is on sale.
// Errors: fault.Invalid with the field price_id.
func ActivePrice(tx models.Tx, id string) (models.Price, error) {
	var price models.Price
	err := tx.Where("stripe_price_id = ? AND active", id).Take(&price).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return price, fault.Field("price_id", fault.PriceUnknown)
	}
	if err != nil {
		return price, fmt.Errorf("look up price: %w", err)
	}
	return price, nil
}

// MaxCredits is the most credits that one metadata.credits may name.
const MaxCredits = 1_000_000

// ParseCredits reads metadata.credits of a price or session: digits only, 1 to 1,000,000.
func ParseCredits(text string) (models.Credits, bool) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return models.Credits(n), err == nil && n >= 1 && n <= MaxCredits
}
