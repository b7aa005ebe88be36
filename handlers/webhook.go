package handlers

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// receiveEvent is POST /api/stripe/webhook. The signature is over the bytes as they came, so nothing reads them before.
func (h *Handler) receiveEvent(c *fiber.Ctx) error {
	payload := utils.CopyBytes(c.BodyRaw())
	if err := h.Webhook.Receive(c.UserContext(), payload, c.Get("Stripe-Signature")); err != nil {
		return err
	}
	return c.JSON(fiber.Map{"received": true})
}
