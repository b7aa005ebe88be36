package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

// need is what a user wanted and cannot pay for.
type need struct {
	user                         models.User
	feature                      string // its name in the user's language
	required, available, missing models.Credits
}

// shortage says which credits are held and offers the package that covers what is missing. The order leads back to the
// address back, if there is one.
func (h *Handler) shortage(ctx context.Context, n need, back string) (*pages.Shortage, error) {
	s := &pages.Shortage{
		Title: locales.N(ctx, "shortage.title", n.missing, locales.Args{"feature": n.feature}),
		Text: locales.T(ctx, "shortage.text", locales.Args{"feature": n.feature,
			"available": components.CreditAmount(ctx, n.available), "required": components.CreditAmount(ctx, n.required)}),
		Offer: locales.T(ctx, "shortage.none"), Decline: locales.T(ctx, "shortage.decline"),
	}
	if n.user.CreditsHeld > 0 {
		periods, err := h.Account.Purchase.Held(ctx, n.user.ID)
		if err != nil {
			return nil, err
		}
		s.Held = pages.HeldNotes(ctx, n.user.CreditsHeld, periods)
		for i := range periods { // the last notes
			note := &s.Held[len(s.Held)-1-i]
			note.URL = h.ownAddress(note.URL)
		}
	}
	cover, err := h.Catalog.Cover(ctx, n.missing)
	if err != nil || cover == nil {
		return s, err
	}
	text := "shortage.covered"
	if cover.Credits() < n.missing {
		text = "shortage.some"
	}
	s.Offer = locales.T(ctx, text, locales.Args{"credits": components.CreditAmount(ctx, cover.Credits()),
		"price": pages.CoverPrice(ctx, *cover)})
	if n.required > 0 {
		s.Offer += " " + locales.T(ctx, "shortage.use", locales.Args{"feature": n.feature,
			"price": components.Money(ctx, cover.Offer.Of(n.required), cover.Offer.Currency)})
	}
	s.Buy, s.Waiting = locales.T(ctx, "shortage.buy"), locales.T(ctx, "shortage.waiting")
	s.URL = h.ownAddress(pages.CoverPath(ctx, *cover, back))
	return s, nil
}

// renderShortage answers a form of Resume Matcher that needs more credits than there are. Pages with scripts show the
// same in a dialog.
func (h *Handler) renderShortage(c *fiber.Ctx, f *fault.Error, status int) error {
	ctx, back := c.UserContext(), h.matcherAddress()
	prices, err := h.Spend.Features(ctx)
	if err != nil {
		return err
	}
	credits := func(name string) models.Credits {
		n, _ := f.Detail[name].(int64)
		return models.Credits(n)
	}
	feature, _ := f.Detail["feature"].(string)
	allowed, err := h.returnURL(back)
	if err != nil {
		allowed = ""
	}
	s, err := h.shortage(ctx, need{currentUser(c), featureName(ctx, prices, feature), credits("required"),
		credits("available"), credits("missing")}, allowed)
	if err != nil {
		return err
	}
	return h.renderTitled(c, status, s.Title, pages.OutOfCredits(*s, back))
}

// featureName returns a feature's name in the language of ctx; a general one for anything else.
func featureName(ctx context.Context, prices []models.FeaturePrice, feature string) string {
	for _, p := range prices {
		if string(p.Feature) == feature {
			return components.FeatureName(ctx, feature, p.Label(locales.Code(ctx)))
		}
	}
	return locales.T(ctx, "shortage.feature")
}
