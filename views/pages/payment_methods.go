package pages

import (
	"context"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
)

// methodsText names the methods of payment that Stripe offers for the packages, or says that Stripe shows them.
func methodsText(ctx context.Context, offers []models.Offer) string {
	offered := models.OfferedMethods(offers)
	known := slices.DeleteFunc(slices.Clone(offered), func(m string) bool {
		return !slices.Contains(models.PaymentMethods(), m)
	})
	var names []string
	for _, method := range known {
		names = append(names, locales.T(ctx, "payment_method."+method))
	}
	switch {
	case len(known) == 0:
		return locales.T(ctx, "purchase.methods.unknown")
	case len(known) < len(offered):
		return locales.T(ctx, "purchase.methods.more", locales.Args{"methods": strings.Join(names, ", ")})
	}
	return strings.Join(names, ", ")
}
