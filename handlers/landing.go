package handlers

import (
	"context"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/spend"
	"github.com/resume-matcher/credits/views/pages"
)

// showLanding is GET /{locale}. Signed-out visitors share one rendering per language until a price changes.
func (h *Handler) showLanding(c *fiber.Ctx) error {
	offers, err := h.Catalog.Offers(c.UserContext())
	if err != nil {
		return err
	}
	prices, err := h.Spend.AllFeatures(c.UserContext())
	if err != nil {
		return err
	}
	signedOut := currentVisitor(c).account == nil
	kept, _ := h.landings.Load(pageLocale(c))
	if l, ok := kept.(landing); ok && signedOut && l.shows(offers, prices) {
		return h.render(c, fiber.StatusOK, "landing.page", l.content)
	}
	data := pages.LandingData{Locale: pageLocale(c), Packages: offers, Features: features(c, spend.Active(prices), 0),
		SmallBusiness: h.Site.SmallBusiness}
	if !signedOut {
		data.User = &currentVisitor(c).account.User
		return h.render(c, fiber.StatusOK, "landing.page", pages.Landing(data))
	}
	content, err := rendered(c.UserContext(), pages.Landing(data))
	if err != nil {
		return err
	}
	h.landings.Store(pageLocale(c), landing{offers, prices, content})
	return h.render(c, fiber.StatusOK, "landing.page", content)
}

// landing is a rendered start page for signed-out visitors, with the prices that it shows.
type landing struct {
	offers  []models.Offer
	prices  []models.FeaturePrice
	content templ.Component
}

// shows reports whether the page shows these prices: the very slices that the services have cached since.
func (l landing) shows(offers []models.Offer, prices []models.FeaturePrice) bool {
	return same(l.offers, offers) && same(l.prices, prices)
}

func same[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// rendered renders content once, in the language of ctx, and returns a component that repeats the result.
func rendered(ctx context.Context, content templ.Component) (templ.Component, error) {
	var html strings.Builder
	err := content.Render(ctx, &html)
	return templ.Raw(html.String()), err
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
