package pages

import (
	"context"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// credits returns the credits of the whole offer.
func (s Shortage) credits() models.Credits {
	return s.Offer.Price.CreditsPerUnit * models.Credits(s.Quantity)
}

// price returns the price of the whole offer.
func (s Shortage) price(ctx context.Context) string {
	return components.Money(ctx, s.Offer.Price.Total(s.Quantity), s.Offer.Price.Currency)
}

// path returns where the offer is preselected.
func (s Shortage) path(ctx context.Context) string {
	return PackagePath(locales.Code(ctx), s.Offer.Price.CreditsPerUnit, s.Quantity) + "#" + s.Offer.id("card")
}
