package models

// Offer is a price on sale with the figures that buyers compare.
type Offer struct {
	Price
	Bonus      Credits // the part of its credits that is free
	PerHundred Cents   // price of 100 credits, rounded to the cent
	Analyses   int64   // resume analyses that its credits pay for; 0 while these are not offered
	Best       bool    // no other offer has cheaper credits; false for a single offer
}

// Cover is the packages that cover missing credits.
type Cover struct {
	Offer    Offer
	Quantity int64
}

// Credits returns the credits of all packages.
func (c Cover) Credits() Credits { return c.Offer.CreditsPerUnit * Credits(c.Quantity) }
