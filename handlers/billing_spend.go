package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/spend"
)

// spendInSandbox is POST /{locale}/billing/spend: it spends credits in the sandbox, without Resume Matcher.
func (h *Handler) spendInSandbox(c *fiber.Ctx) error {
	if !h.Site.Sandbox {
		return fault.New(fault.NotFound, nil)
	}
	key := formValue(c, "idempotency_key")
	if key == "" {
		return fault.Because(fault.Malformed, fault.KeyMissing)
	}
	_, err := h.Spend.Spend(c.UserContext(), spend.Request{UserID: currentUserID(c), Feature: formValue(c, "feature"),
		Key: key})
	if err != nil {
		return err
	}
	return h.redirectWithFlash(c, localPath(c, "/billing"), "spent")
}
