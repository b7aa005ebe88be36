package purchase

import "slices"

// Currency is what packages are sold in, as Stripe writes it.
const Currency = packageCurrency

// Packages returns what the product sells.
func Packages() []Package { return slices.Clone(packages) }

// LookupKey names the package at Stripe, whatever price object stands for it today.
func (p Package) LookupKey() string { return p.lookupKey() }
