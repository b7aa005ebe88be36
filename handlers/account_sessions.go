package handlers

import (
	"github.com/gofiber/fiber/v2"
)

// endSession is POST /{locale}/account/sessions/{id}/end.
func (h *Handler) endSession(c *fiber.Ctx) error {
	err := h.Sessions.rows.End(c.UserContext(), currentUserID(c), c.Params("id"))
	return h.redirectAfter(c, localPath(c, "/account"), err, "session_ended")
}

// signOutEverywhere is POST /{locale}/account/sessions/end: it ends every session of the user, including this one.
func (h *Handler) signOutEverywhere(c *fiber.Ctx) error {
	if err := h.Sessions.rows.EndAll(c.UserContext(), currentUserID(c)); err != nil {
		return err
	}
	h.forgetTyped(c)
	return h.redirectWithFlash(c, localPath(c, ""), "signed_out_everywhere")
}
