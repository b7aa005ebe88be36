package handlers

import "github.com/gofiber/fiber/v2"

// unlinkSignIn is POST /{locale}/account/sign-ins/{id}/unlink.
func (h *Handler) unlinkSignIn(c *fiber.Ctx) error {
	err := h.Auth.Unlink(c.UserContext(), currentUserID(c), c.Params("id"))
	return h.redirectAfter(c, localPath(c, "/account"), err, "unlinked")
}
