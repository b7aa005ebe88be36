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

// CoverPath returns where the packages are preselected.
func CoverPath(ctx context.Context, c models.Cover) string {
	return PackagePath(locales.Code(ctx), c.Offer.CreditsPerUnit, c.Quantity) + "#" + packageID(c.Offer, "card")
}
