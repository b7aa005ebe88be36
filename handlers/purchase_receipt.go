package handlers

import (
	"github.com/gofiber/fiber/v2"
)

// openReceipt is GET /{locale}/purchase/{id}/receipt: it redirects to the invoice at Stripe.
func (h *Handler) openReceipt(c *fiber.Ctx) error {
	address, err := h.Purchase.Receipt(c.UserContext(), currentUserID(c), c.Params("id"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return redirect(c, address)
}
