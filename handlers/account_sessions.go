package handlers

import (
	"github.com/gofiber/fiber/v2"
)

// endSession is POST /{locale}/account/sessions/{id}/end.
func (h *Handler) endSession(c *fiber.Ctx) error {
	if err := h.Sessions.rows.End(c.UserContext(), currentUserID(c), c.Params("id")); err != nil {
		return err
	}
	return h.backToAccount(c, pageLocale(c), "session_ended")
}

// signOutEverywhere is POST /{locale}/account/sessions/end: it ends every session of the user, this one too.
func (h *Handler) signOutEverywhere(c *fiber.Ctx) error {
	if err := h.Sessions.rows.EndAll(c.UserContext(), currentUserID(c)); err != nil {
		return err
	}
	c.Set("Clear-Site-Data", `"storage"`) // as signOut
	setFlash(c, h.Sessions.secure, "signed_out_everywhere")
	return leave(c, "/"+pageLocale(c))
}
