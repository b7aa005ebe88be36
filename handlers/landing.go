package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// showLanding is GET /{locale}.
func (h *Handler) showLanding(c *fiber.Ctx) error {
	offer, err := h.packages(c)
	if err != nil {
		return err
	}
	features, err := h.features(c, 0)
	if err != nil {
		return err
	}
	data := pages.LandingData{Locale: pageLocale(c), Packages: offer, Features: features,
		SmallBusiness: h.Site.SmallBusiness}
	if v := currentVisitor(c); v.account != nil {
		data.User = &v.account.User
	}
	return h.render(c, fiber.StatusOK, "landing.title", pages.Landing(data))
}

// features lists the active features and how often the available credits pay for each.
func (h *Handler) features(c *fiber.Ctx, available models.Credits) ([]pages.Feature, error) {
	prices, err := h.Spend.Features(c.UserContext())
	if err != nil {
		return nil, err
	}
	list := make([]pages.Feature, len(prices))
	for i, f := range prices {
		list[i] = pages.Feature{Name: string(f.Feature), Label: f.Label(pageLocale(c)), Credits: f.Credits,
			Times: int64(max(available, 0) / f.Credits), Key: randomKey()}
	}
	return list, nil
}
