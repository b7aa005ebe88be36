package handlers

import (
	"errors"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/resume-matcher/credits/services/webhook"
)

// receiveEvent is POST /api/stripe/webhook. The signature covers the raw bytes.
func (h *Handler) receiveEvent(c *fiber.Ctx) error {
	payload := utils.CopyBytes(c.BodyRaw())
	var signature string
	if all := c.Request().Header.PeekAll("Stripe-Signature"); len(all) == 1 { // two signatures are ambiguous
		signature = string(all[0])
	}
	if err := h.Webhook.Receive(c.UserContext(), payload, signature); err != nil {
		if refusal, ok := errors.AsType[webhook.Refusal](err); ok {
			h.Metrics.EventRefused(string(refusal))
		}
		return err
	}
	return c.JSON(fiber.Map{"received": true})
}
