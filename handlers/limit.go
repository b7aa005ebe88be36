package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
)

// limit bounds how often one sender makes a request. It stands behind the guards that say who may, so that what another
// site makes a browser send counts for nobody. A form that comes back with what is wrong in it does not count.
func (h *Handler) limit(r limit.Rule) fiber.Handler {
	return func(c *fiber.Ctx) error {
		sender := h.counted(c)
		if err := h.Limits.Allow(c.UserContext(), r, sender); err != nil {
			return err
		}
		err := c.Next()
		if fault.Is(err, fault.Invalid) || err == nil && c.Response().StatusCode() == fiber.StatusUnprocessableEntity {
			h.Limits.WindowOf(r, sender).Restore()
		}
		return err
	}
}

// limitPoll is limit.Poll for those requests to the billing page that ask Stripe.
func (h *Handler) limitPoll(c *fiber.Ctx) error {
	if c.Query("success") != "true" || !asksStripe(pollOf(c)) {
		return c.Next()
	}
	return h.limit(limit.Poll)(c)
}

// limitSession bounds how often a signed-in user makes a call of the API. A call that is refused as it was sent asks nobody
// for anything and does not count; a service key has a limit of its own.
func (h *Handler) limitSession(c *fiber.Ctx, who access) error {
	if who.limit.Count == 0 || currentVisitor(c).account == nil {
		return nil
	}
	return h.Limits.Allow(c.UserContext(), who.limit, h.counted(c))
}

// counted is whose limit a request counts against: the user's where one is signed in, the address's elsewhere.
func (h *Handler) counted(c *fiber.Ctx) limit.Sender {
	if id := currentUserID(c); id != 0 {
		return limit.User(id)
	}
	return limit.Address(h.sender(c))
}
