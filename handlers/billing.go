package handlers

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

// showBilling is GET /{locale}/billing, also the return address of Stripe's Checkout.
func (h *Handler) showBilling(c *fiber.Ctx) error {
	q := account.BillingQuery{User: currentUser(c), Now: time.Now().In(components.Zone(c.UserContext())),
		Canceled: c.Query("canceled") == "true", Poll: pollCount(c)}
	if c.Query("success") == "true" {
		q.SessionID = c.Query("session_id")
	}
	page, err := h.Account.BillingPage(c.UserContext(), q)
	if err != nil {
		return err
	}
	currentVisitor(c).account.User = page.User // the header shows the balance
	return h.render(c, fiber.StatusOK, "billing.title", pages.Billing(pages.BillingData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), User: page.User,
		Features: features(c, page.Features, page.User.Available()), Cover: page.Cover, Latest: page.Latest, Held: page.Held,
		Usage: page.Usage, Return: h.returnState(c, page.Return), Matcher: h.matcherAddress(),
	}))
}
