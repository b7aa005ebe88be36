package handlers

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// checkPurchase is POST /{locale}/admin/purchases/{id}/check: it asks Stripe now and books what events have not
// delivered.
func (h *Handler) checkPurchase(c *fiber.Ctx) error {
	n, err := h.Purchase.Refresh(c.UserContext(), c.Params("id"))
	switch {
	case fault.Is(err, fault.Unavailable):
		h.setFlash(c, "check_away")
	case errors.Is(err, purchase.ErrNotOurs):
		h.setFlash(c, "check_unpaid")
	case errors.As(err, new(purchase.ReviewError)):
		h.setFlash(c, "check_review")
	case err != nil:
		return err
	default:
		h.setCountedFlash(c, "checked", n)
	}
	if err != nil {
		h.Site.Log.WarnContext(c.UserContext(), "refresh purchase failed", "purchase_id", c.Params("id"), "err", err)
	}
	return redirect(c, localPath(c, "/admin/purchases/"+c.Params("id")))
}
