package pages

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// offerID names a part of what the pages show of a package.
func offerID(p models.Offer, part string) string {
	return part + "-" + strconv.FormatInt(int64(p.CreditsPerUnit), 10)
}

// bonusText says how a package's credits add up: 1,000 plus 200.
func bonusText(ctx context.Context, p models.Offer) string {
	return locales.N(ctx, "purchase.package.bonus", p.Bonus,
		locales.Args{"paid": components.Credits(ctx, p.CreditsPerUnit-p.Bonus)})
}

// analysesText says how many resume analyses a package pays for; empty while these are not offered.
func analysesText(ctx context.Context, p models.Offer, features []Feature) string {
	f := analysis(features)
	if f == nil {
		return ""
	}
	return locales.N(ctx, "purchase.package.analyses", p.CreditsPerUnit/f.Credits)
}

// usePrice is what one use of a feature costs with a package's credits, as models.Price.Of rounds it.
func usePrice(ctx context.Context, p models.Offer, f Feature) string {
	return components.Money(ctx, p.Of(f.Credits), p.Currency)
}

// lowestUse returns what one use of a feature costs with the package that makes it cheapest; empty when nothing is on
// sale.
func lowestUse(ctx context.Context, offers []models.Offer, f Feature) string {
	if len(offers) == 0 {
		return ""
	}
	return usePrice(ctx, slices.MinFunc(offers, func(a, b models.Offer) int {
		return cmp.Compare(a.Of(f.Credits), b.Of(f.Credits))
	}), f)
}

// costText is the price of a feature in credits and, where packages are on sale, in money.
func costText(ctx context.Context, offers []models.Offer, f Feature) string {
	credits := components.CreditAmount(ctx, f.Credits)
	price := lowestUse(ctx, offers, f)
	if price == "" {
		return credits
	}
	key := "landing.features.cost"
	if len(offers) == 1 {
		key = "landing.features.only_cost"
	}
	return locales.T(ctx, key, locales.Args{"credits": credits, "price": price})
}

// analysis returns the resume analysis; nil while it is not offered.
func analysis(features []Feature) *Feature {
	for i := range features {
		if features[i].Name == string(models.ReasonResumeAnalysis) {
			return &features[i]
		}
	}
	return nil
}
