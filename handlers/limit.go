package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/purchase"
)

// limit limits how often a sender makes a request. It runs behind the access guards, so that requests forged by other
// sites count for no victim. A form that comes back with errors does not count.
func (h *Handler) limit(r limit.Rule) fiber.Handler {
	return func(c *fiber.Ctx) error {
		sender := h.limitSender(c)
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

// limitPoll applies limit.Poll to the polls of the billing page that ask Stripe.
func (h *Handler) limitPoll(c *fiber.Ctx) error {
	if c.Query("success") != "true" || !purchase.RefreshDue(pollCount(c)) {
		return c.Next()
	}
	return h.limit(limit.Poll)(c)
}

// limitSession limits how often a signed-in user makes an API call. A call that fails validation does not count;
// service keys have a limit of their own.
func (h *Handler) limitSession(c *fiber.Ctx, who access) error {
	if who.limit.Count == 0 || currentVisitor(c).account == nil {
		return nil
	}
	return h.Limits.Allow(c.UserContext(), who.limit, h.limitSender(c))
}

// limitSender returns the key that a request counts against: the user, or the address of an anonymous visitor.
func (h *Handler) limitSender(c *fiber.Ctx) limit.Sender {
	if id := currentUserID(c); id != 0 {
		return limit.User(id)
	}
	return limit.Address(h.sender(c))
}
