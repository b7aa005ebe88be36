package pages

import (
	"context"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// coverPrice returns the price of all packages.
func coverPrice(ctx context.Context, c models.Cover) string {
	return components.Money(ctx, c.Offer.Total(c.Quantity), c.Offer.Currency)
}

// coverPath returns where the packages are preselected.
func coverPath(ctx context.Context, c models.Cover) string {
	return PackagePath(locales.Code(ctx), c.Offer.CreditsPerUnit, c.Quantity) + "#" + packageID(c.Offer, "card")
}
