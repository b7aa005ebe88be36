package handlers

import (
	"github.com/gofiber/fiber/v2"
)

// openReceipt is GET /{locale}/purchase/{id}/receipt: it sends the browser to the invoice, which Stripe keeps.
func (h *Handler) openReceipt(c *fiber.Ctx) error {
	address, err := h.Purchase.Receipt(c.UserContext(), currentUserID(c), c.Params("id"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return leave(c, address)
}
