package handlers

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// receiveEvent is POST /api/stripe/webhook. The signature covers the raw bytes.
func (h *Handler) receiveEvent(c *fiber.Ctx) error {
	payload := utils.CopyBytes(c.BodyRaw())
	var signature string
	if all := c.Request().Header.PeekAll("Stripe-Signature"); len(all) == 1 { // two signatures are ambiguous
		signature = string(all[0])
	}
	if err := h.Webhook.Receive(c.UserContext(), payload, signature); err != nil {
		return err
	}
	return c.JSON(fiber.Map{"received": true})
}
