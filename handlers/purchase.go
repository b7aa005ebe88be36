package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// showPackages is GET /{locale}/purchase. A link may preselect a package by its credits, and a quantity.
func (h *Handler) showPackages(c *fiber.Ctx) error {
	return h.renderPackages(c, fiber.StatusOK, pages.PurchaseData{Quantity: "1"})
}

func (h *Handler) renderPackages(c *fiber.Ctx, status int, data pages.PurchaseData) error {
	offer, err := h.packages(c)
	if err != nil {
		return err
	}
	if data.PriceID == "" {
		data.PriceID, data.Quantity = choice(offer, c.Query("package"), c.Query("quantity"))
	}
	data.Locale, data.CSRF, data.Key, data.Packages = pageLocale(c), currentVisitor(c).token, randomKey(), offer
	data.SmallBusiness, data.MaxQuantity = h.Site.SmallBusiness, purchase.MaxQuantity
	data.Units = orderedUnits(data.Quantity)
	data.Terms, data.Privacy = h.Site.Legal.Terms, h.Site.Legal.Privacy
	data.Debt = currentUser(c).CreditsBalance < 0
	return h.render(c, status, "purchase.title", pages.Purchase(data))
}
