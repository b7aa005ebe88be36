package handlers

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/views/pages"
)

// showPackages is GET /{locale}/purchase. A link may preselect a package, by its credits or its price, and a quantity.
func (h *Handler) showPackages(c *fiber.Ctx) error {
	return h.renderPackages(c, fiber.StatusOK, pages.PurchaseData{Quantity: "1"})
}

func (h *Handler) renderPackages(c *fiber.Ctx, status int, data pages.PurchaseData) error {
	back, err := h.orderReturnURL(c)
	if err != nil {
		return err
	}
	read := h.Catalog.Offers
	if status != fiber.StatusOK { // the order was refused, perhaps because a price has changed
		read = h.Catalog.CurrentOffers
	}
	offers, err := read(c.UserContext())
	if err != nil {
		return err
	}
	prices, err := h.Spend.Features(c.UserContext())
	if err != nil {
		return err
	}
	if data.PriceID == "" {
		data.PriceID, data.Quantity = choice(offers, c.Query("package"), c.Query("price"), c.Query("quantity"))
	}
	data.PriceID = onSale(offers, data.PriceID)
	data.Locale, data.CSRF, data.Key, data.Packages = pageLocale(c), currentVisitor(c).csrf(), randomKey(), offers
	data.Features = features(c, prices, 0)
	data.ReturnURL = back
	data.SmallBusiness, data.MaxQuantity = h.Site.SmallBusiness, catalog.MaxQuantity
	data.Units = orderedUnits(data.Quantity)
	links := h.legalLinks(pageLocale(c))
	data.Terms, data.Privacy, data.Withdrawal = links.Terms, links.Privacy, links.Withdrawal
	data.HoldsCredits = h.Purchase.HoldWithoutConsent
	data.Debt = currentUser(c).CreditsBalance < 0
	return h.render(c, status, "purchase.title", pages.Purchase(data))
}

// choice returns the price and quantity that a link preselects; empty and "1" when it names no package on sale.
func choice(offers []models.Offer, credits, price, quantity string) (id, count string) {
	n := max(orderedUnits(quantity), 1)
	wanted := models.Credits(parseDigits(credits))
	for _, p := range offers {
		if p.CreditsPerUnit == wanted || p.StripePriceID == price {
			return p.StripePriceID, strconv.FormatInt(n, 10)
		}
	}
	return "", "1"
}

// onSale returns the price if it is on sale, else the lowest: nothing dearer is selected for the buyer.
func onSale(offers []models.Offer, price string) string {
	if len(offers) == 0 || slices.ContainsFunc(offers, func(o models.Offer) bool { return o.StripePriceID == price }) {
		return price
	}
	return slices.MinFunc(offers, func(a, b models.Offer) int {
		return cmp.Compare(a.PriceInCents, b.PriceInCents)
	}).StripePriceID
}

// orderedUnits parses a quantity; 0 when no order may have it.
func orderedUnits(text string) int64 {
	n := parseDigits(strings.TrimSpace(text))
	if n < 1 || n > catalog.MaxQuantity {
		return 0
	}
	return n
}
