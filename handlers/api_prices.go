package handlers

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// priceListAge is how long a caller may keep the price lists: what a call takes is decided when it is made.
const priceListAge = "private, max-age=60"

// featurePrice is what credits are spent on.
type featurePrice struct {
	Feature models.Reason  `json:"feature" doc:"Its name in spends and holds."`
	Name    string         `json:"name" doc:"Its name for people, in the language of Accept-Language."`
	Credits models.Credits `json:"credits" doc:"What it costs."`
}

// featureList is what is offered.
type featureList struct {
	Features []featurePrice `json:"features" nullable:"false" doc:"In the order of our pages."`
}

// packageOffer is what a user can buy.
type packageOffer struct {
	PriceID      string         `json:"priceId" doc:"Identifies the package in POST /api/checkout."`
	Credits      models.Credits `json:"credits" doc:"The credits in one package, including free ones."`
	BonusCredits models.Credits `json:"bonusCredits" doc:"How many of them are free."`
	PriceInCents models.Cents   `json:"priceInCents" doc:"The price of one package, VAT included."`
	Currency     string         `json:"currency" doc:"ISO 4217, in lower case."`
}

// packageList is what is on sale.
type packageList struct {
	Packages []packageOffer `json:"packages" nullable:"false" doc:"The smallest first."`
}

type featureListOutput struct{ Body featureList }

type packageListOutput struct{ Body packageList }

var featuresCall = call{
	Operation: huma.Operation{
		OperationID: "listFeatures", Tags: []string{tagPrices}, Summary: "List the features and what they cost",
		Description: "What can be paid with credits now. Show the price on your own button.",
	},
	access:  access{public: true},
	samples: featureSamples,
}

var packagesCall = call{
	Operation: huma.Operation{
		OperationID: "listPackages", Tags: []string{tagPrices}, Summary: "List the packages and their prices",
		Description: "What users can buy now.",
	},
	access:  access{public: true},
	samples: packageSamples,
}

// listFeatures is GET /api/features.
func (h *Handler) listFeatures(c *fiber.Ctx, _ *struct{}) (*featureListOutput, error) {
	h.ensureLocale(c)
	rows, err := h.Spend.Features(c.UserContext())
	if err != nil {
		return nil, err
	}
	list := make([]featurePrice, len(rows))
	for i, f := range rows {
		name := components.FeatureName(c.UserContext(), string(f.Feature), f.Label(pageLocale(c)))
		list[i] = featurePrice{f.Feature, name, f.Credits}
	}
	c.Set(fiber.HeaderCacheControl, priceListAge)
	c.Vary(fiber.HeaderAcceptLanguage, fiber.HeaderCookie)
	return &featureListOutput{featureList{list}}, nil
}

// listPackages is GET /api/packages.
func (h *Handler) listPackages(c *fiber.Ctx, _ *struct{}) (*packageListOutput, error) {
	offers, err := h.Catalog.Offers(c.UserContext())
	if err != nil {
		return nil, err
	}
	list := make([]packageOffer, len(offers))
	for i, o := range offers {
		list[i] = packageOffer{o.StripePriceID, o.CreditsPerUnit, o.Bonus, o.PriceInCents, o.Currency}
	}
	c.Set(fiber.HeaderCacheControl, priceListAge)
	return &packageListOutput{packageList{list}}, nil
}
