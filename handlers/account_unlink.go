package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
)

// unlinkSignIn is POST /{locale}/account/sign-ins/{id}/unlink.
func (h *Handler) unlinkSignIn(c *fiber.Ctx) error {
	err := h.Auth.Unlink(c.UserContext(), currentUserID(c), c.Params("id"))
	if f := fault.Of(err); f != nil && f.Problem == fault.LastIdentity {
		return h.redirectToAccount(c, pageLocale(c), "last_sign_in")
	}
	if err != nil {
		return err
	}
	return h.redirectToAccount(c, pageLocale(c), "unlinked")
}
