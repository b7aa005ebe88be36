package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
)

// showAlive is GET /healthz: the process answers.
func showAlive(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }

// showReady is GET /readyz: the database is reachable, migrated and writable.
func (h *Handler) showReady(c *fiber.Ctx) error {
	if err := h.Site.Ready(c.UserContext()); err != nil {
		return fault.Wrap(fault.Unavailable, err)
	}
	return c.JSON(fiber.Map{"status": "ok"})
}
