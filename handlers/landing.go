package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// showLanding is GET /{locale}.
func (h *Handler) showLanding(c *fiber.Ctx) error {
	offers, err := h.Catalog.Offers(c.UserContext())
	if err != nil {
		return err
	}
	prices, err := h.Spend.Features(c.UserContext())
	if err != nil {
		return err
	}
	data := pages.LandingData{Locale: pageLocale(c), Packages: offers, Features: features(c, prices, 0),
		SmallBusiness: h.Site.SmallBusiness}
	if v := currentVisitor(c); v.account != nil {
		data.User = &v.account.User
	}
	return h.render(c, fiber.StatusOK, "landing.title", pages.Landing(data))
}

// features returns what the page shows of each feature, and how often the available credits pay for it.
func features(c *fiber.Ctx, prices []models.FeaturePrice, available models.Credits) []pages.Feature {
	list := make([]pages.Feature, len(prices))
	for i, f := range prices {
		list[i] = pages.Feature{Name: string(f.Feature), Label: f.Label(pageLocale(c)), Credits: f.Credits,
			Times: int64(max(available, 0) / f.Credits)}
	}
	return list
}
