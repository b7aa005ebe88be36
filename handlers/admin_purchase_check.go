package handlers

import "github.com/gofiber/fiber/v2"

// checkPurchase is POST /{locale}/admin/purchases/{id}/check: it asks Stripe now and books what events have not
// delivered.
func (h *Handler) checkPurchase(c *fiber.Ctx) error {
	outcome, entries, err := h.Purchase.Refresh(c.UserContext(), c.Params("id"))
	return h.redirectAfter(c, localPath(c, "/admin/purchases/"+c.Params("id")), err,
		numberedFlash("check_"+string(outcome), int64(entries)))
}
