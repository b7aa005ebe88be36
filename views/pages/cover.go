package pages

import (
	"context"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// CoverPrice returns the price of all packages.
func CoverPrice(ctx context.Context, c models.Cover) string {
	return components.Money(ctx, c.Offer.Total(c.Quantity), c.Offer.Currency)
}

// CoverPath returns where the packages are preselected. After the payment the buyer goes on to the address back, if
// there is one.
func CoverPath(ctx context.Context, c models.Cover, back string) string {
	choice := Choice{Credits: c.Offer.CreditsPerUnit, Quantity: c.Quantity, ReturnURL: back}
	return choice.Path(locales.Code(ctx))
}
