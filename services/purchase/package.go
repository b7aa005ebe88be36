package purchase

import (
	"slices"

	"github.com/resume-matcher/credits/models"
)

// Currency is what packages are sold in, as Stripe writes it.
const Currency = packageCurrency

// Packages returns what the product sells.
func Packages() []Package { return slices.Clone(packages) }

// Bonus is how many of a price's credits come on top of what it is for. Only our own packages have any, and only at
// the price that we gave them.
func Bonus(p models.Price) models.Credits {
	for _, own := range packages {
		if own.Credits == p.CreditsPerUnit && own.Cents == p.PriceInCents && p.Currency == Currency {
			return own.Bonus
		}
	}
	return 0
}

// LookupKey names the package at Stripe, whatever price object stands for it today.
func (p Package) LookupKey() string { return p.lookupKey() }
