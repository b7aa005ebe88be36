package handlers

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	latestEntries = 5  // on the billing page
	usageDays     = 30 // in its chart
)

// showBilling is GET /{locale}/billing, also the return address of Stripe's Checkout.
func (h *Handler) showBilling(c *fiber.Ctx) error {
	user := currentUser(c)
	back, err := h.returnState(c, user.ID)
	if err != nil {
		return err
	}
	if back != nil && back.Kind == models.ReturnBooked { // possibly after the user was loaded
		account, err := h.Auth.Account(c.UserContext(), user.ID)
		if err != nil {
			return err
		}
		currentVisitor(c).account, user = &account, account.User
	}
	latest, err := h.Ledger.History(c.UserContext(), user.ID, 0, latestEntries)
	if err != nil {
		return err
	}
	usage, err := h.Ledger.Usage(c.UserContext(), user.ID, time.Now().In(components.Zone(c.UserContext())), usageDays)
	if err != nil {
		return err
	}
	prices, err := h.Spend.Features(c.UserContext())
	if err != nil {
		return err
	}
	cover, err := h.cover(c, user)
	if err != nil {
		return err
	}
	return h.render(c, fiber.StatusOK, "billing.title", pages.Billing(pages.BillingData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).token, User: user, Cover: cover,
		Features: features(c, prices, user.Available()),
		Latest:   latest.Entries, Usage: usage, Return: back, Sandbox: h.Site.Sandbox,
	}))
}

// cover returns the packages that settle a debt or start an empty account; nil for a positive balance.
func (h *Handler) cover(c *fiber.Ctx, user models.User) (*models.Cover, error) {
	if user.CreditsBalance > 0 {
		return nil, nil
	}
	return h.Catalog.Cover(c.UserContext(), -user.CreditsBalance)
}
