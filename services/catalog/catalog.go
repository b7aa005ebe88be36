// Package catalog holds what the product sells: packages and their prices, pushed to and pulled from Stripe.
package catalog

import (
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

// ProductID is the id, chosen by us, of the Stripe product that all prices belong to.
const ProductID = "resume_matcher_credits"

// Currency is the currency of our packages, as Stripe writes it.
const Currency = "eur"

// Package is an amount of credits with its price.
type Package struct {
	Credits models.Credits
	Cents   models.Cents   // VAT included
	Bonus   models.Credits // the part of Credits that is free
}

// packages are what the product sells. `credits prices sync` pushes them to Stripe.
var packages = []Package{
	{Credits: 100, Cents: 500},
	{Credits: 500, Cents: 2000},
	{Credits: 1200, Cents: 3500, Bonus: 200},
}

// Packages returns what the product sells.
func Packages() []Package { return slices.Clone(packages) }

// LookupKey is the Stripe lookup key of the package's current price.
func (p Package) LookupKey() string { return fmt.Sprintf("resume_matcher_credits_%d", p.Credits) }

// Service keeps prices at Stripe and in our table.
type Service struct {
	DB     *gorm.DB
	Stripe *client.API
	Log    *slog.Logger
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

// MaxCredits is the largest value of metadata.credits.
const MaxCredits = 1_000_000

// ParseCredits parses metadata.credits of a Stripe price or Checkout Session: digits only, 1 to MaxCredits.
func ParseCredits(text string) (models.Credits, bool) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return models.Credits(n), err == nil && n >= 1 && n <= MaxCredits
}
