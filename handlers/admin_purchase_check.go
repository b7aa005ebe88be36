package handlers

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// checkPurchase is POST /{locale}/admin/purchases/{id}/check: ask Stripe now, and book what its events have not brought.
func (h *Handler) checkPurchase(c *fiber.Ctx) error {
	n, err := h.Purchase.Refresh(c.UserContext(), c.Params("id"))
	switch {
	case fault.Is(err, fault.Unavailable):
		setFlash(c, h.Sessions.secure, "check_away")
	case errors.Is(err, purchase.ErrNotOurs):
		setFlash(c, h.Sessions.secure, "check_unpaid")
	case errors.As(err, new(purchase.ReviewError)):
		setFlash(c, h.Sessions.secure, "check_review")
	case err != nil:
		return err
	default:
		countedFlash(c, h.Sessions.secure, "checked", n)
	}
	if err != nil {
		h.Site.Log.WarnContext(c.UserContext(), "asking Stripe by hand brought nothing", "purchase_id", c.Params("id"), "err", err)
	}
	return leave(c, "/"+pageLocale(c)+"/admin/purchases/"+c.Params("id"))
}
