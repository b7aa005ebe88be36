package handlers

import (
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// packages returns the packages on sale.
func (h *Handler) packages(c *fiber.Ctx) ([]pages.Package, error) {
	offers, err := h.Catalog.Offers(c.UserContext())
	if err != nil {
		return nil, err
	}
	features, err := h.Spend.Features(c.UserContext())
	if err != nil {
		return nil, err
	}
	return packages(offers, features), nil
}

// choice returns the price and quantity that a link preselects; empty and "1" when it names no package on sale.
func choice(offer []pages.Package, credits, quantity string) (price, count string) {
	n := max(orderedUnits(quantity), 1)
	wanted := models.Credits(parseDigits(credits))
	for _, p := range offer {
		if p.Price.CreditsPerUnit == wanted {
			return p.Price.StripePriceID, strconv.FormatInt(n, 10)
		}
	}
	return "", "1"
}

// covering returns the smallest package with at least credits, or as many of the largest as needed, up to the limit.
func covering(offer []pages.Package, credits models.Credits) (p *pages.Package, quantity int64) {
	if len(offer) == 0 {
		return nil, 0
	}
	for i := range offer { // the smallest first
		if offer[i].Price.CreditsPerUnit >= credits {
			return &offer[i], 1
		}
	}
	p = &offer[len(offer)-1]
	return p, min(int64((credits+p.Price.CreditsPerUnit-1)/p.Price.CreditsPerUnit), purchase.MaxQuantity)
}

// packages adds to each offer how many resume analyses it buys, while they are active.
func packages(offers []catalog.Offer, features []models.FeaturePrice) []pages.Package {
	var analysis models.Credits
	for _, f := range features {
		if f.Feature == models.ReasonResumeAnalysis {
			analysis = f.Credits
		}
	}
	list := make([]pages.Package, len(offers))
	for i, o := range offers {
		list[i] = pages.Package{Price: o.Price, Bonus: o.Bonus, PerHundred: o.PerHundred, Best: o.Best}
		if analysis > 0 {
			list[i].Analyses = int64(o.CreditsPerUnit / analysis)
		}
	}
	return list
}

// orderedUnits parses a quantity; 0 when no order may have it.
func orderedUnits(text string) int64 {
	n := parseDigits(strings.TrimSpace(text))
	if n < 1 || n > purchase.MaxQuantity {
		return 0
	}
	return n
}
