// Package catalog holds what the product sells: packages and their prices, pushed to and pulled from Stripe.
package catalog

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/stripe/stripe-go/v79/client"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/cache"
	"github.com/resume-matcher/credits/services/fault"
)

// SharedProduct is the id of the Stripe product under which earlier releases sold every package. Its prices stay on
// sale unless a package has taken their place: a seller may have added some.
const SharedProduct = "resume_matcher_credits"

// Own reports whether a Stripe product is one of ours. That of a package which is no longer offered is, too.
func Own(product string) bool {
	return product == SharedProduct || strings.HasPrefix(product, SharedProduct+"_")
}

// Currency is the currency of our packages, as Stripe writes it.
const Currency = "eur"

// Package is an amount of credits with its price.
type Package struct {
	Credits models.Credits
	Cents   models.Cents   // VAT included
	Bonus   models.Credits // the part of Credits that is free
}

// MaxQuantity is the limit of packages in one purchase.
const MaxQuantity = 100

// packages are what the product sells. `credits prices sync` pushes them to Stripe.
var packages = []Package{
	{Credits: 100, Cents: 500},
	{Credits: 500, Cents: 2000},
	{Credits: 1200, Cents: 3500, Bonus: 200},
}

// Packages returns what the product sells.
func Packages() []Package { return slices.Clone(packages) }

// Products returns the IDs of the Stripe products whose prices we sell.
func Products() []string {
	ids := []string{SharedProduct}
	for _, p := range packages {
		ids = append(ids, p.ProductID())
	}
	return ids
}

// ProductID is the id, chosen by us, of the package's Stripe product.
func (p Package) ProductID() string { return fmt.Sprintf("%s_%d", SharedProduct, p.Credits) }

// ProductName is what Checkout and invoices call the package. Stripe has one name for buyers of every language, so it
// has no word that differs between them.
func (p Package) ProductName() string { return fmt.Sprintf("%d Credits · Resume Matcher", p.Credits) }

// LookupKey is the Stripe lookup key of the package's current price. The price of earlier releases, under the shared
// product, keeps its own key, so that such a release still finds it.
func (p Package) LookupKey() string { return fmt.Sprintf("resume_matcher_package_%d", p.Credits) }

// Service keeps prices at Stripe and in our table.
type Service struct {
	DB     *gorm.DB
	Stripe *client.API
	Log    *slog.Logger

	// Description says how many resume analyses a package pays for, in every language. Default: products have none.
	Description func(analyses int64) string

	// Shown keeps the result of Offers. Its Life is how long this process may show prices that another has changed.
	// Default: each call reads them.
	Shown cache.Value[[]models.Offer]
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
