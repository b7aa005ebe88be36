package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
)

// showAlive is GET /healthz: the process answers.
func showAlive(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }

// showReady is GET /readyz: the server takes requests, and the database is reachable and migrated.
func (h *Handler) showReady(c *fiber.Ctx) error {
	if h.draining.Load() {
		return c.Status(fiber.StatusServiceUnavailable).JSON(fiber.Map{"status": "draining"})
	}
	if err := h.Site.Ready(c.UserContext()); err != nil {
		return fault.Wrap(fault.Unavailable, err)
	}
	return c.JSON(fiber.Map{"status": "ok"})
}
