package handlers

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	latestEntries = 5  // movements on the billing page
	usageDays     = 30 // in its picture
	maxPolls      = 30 // how often the page asks before it says that we are waiting for Stripe
	catchUpEvery  = 5  // polls; at the first of them we ask Stripe ourselves
)

// showBilling is GET /{locale}/billing, also the page to which Stripe sends buyers back.
func (h *Handler) showBilling(c *fiber.Ctx) error {
	user := currentUser(c)
	back, err := h.returnState(c, user.ID)
	if err != nil {
		return err
	}
	if back != nil && back.Kind == pages.ReturnBooked { // perhaps since the user was read
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
	features, err := h.features(c, user.Available())
	if err != nil {
		return err
	}
	cover, err := h.cover(c, user)
	if err != nil {
		return err
	}
	return h.render(c, fiber.StatusOK, "billing.title", pages.Billing(pages.BillingData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).token, User: user, Features: features, Cover: cover,
		Latest: latest.Entries, Usage: usage, Return: back, Sandbox: h.Site.Sandbox,
	}))
}

// cover is what settles the user's debt, or what an empty account can begin with; nil for everybody else.
func (h *Handler) cover(c *fiber.Ctx, user models.User) (*pages.Shortage, error) {
	if user.CreditsBalance > 0 {
		return nil, nil
	}
	offer, err := h.packages(c)
	if err != nil {
		return nil, err
	}
	s := &pages.Shortage{Available: user.Available(), Missing: -user.CreditsBalance}
	s.Offer, s.Quantity = covering(offer, s.Missing)
	return s, nil
}
