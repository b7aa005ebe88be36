package models

// Offer is a price on sale with the figures that buyers compare.
type Offer struct {
	Price
	PaymentMethods TextArray // that Stripe offers for it, under Stripe's names; empty if it did not say

	Bonus Credits // the part of its credits that is free
	Best  bool    // no other offer has cheaper credits; false for a single offer
}

// Cover is the packages that cover missing credits.
type Cover struct {
	Offer    Offer
	Quantity int64
}

// Credits returns the credits of all packages.
func (c Cover) Credits() Credits { return c.Offer.CreditsPerUnit * Credits(c.Quantity) }
