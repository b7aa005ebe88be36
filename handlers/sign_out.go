package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/views/pages"
)

// signOut is POST /logout.
func (h *Handler) signOut(c *fiber.Ctx) error {
	h.ensureLocale(c)
	if err := h.Sessions.end(c); err != nil {
		return err
	}
	c.Set("Clear-Site-Data", `"storage"`) // Resume Matcher keeps drafts there; the next person must not see them
	setFlash(c, h.Sessions.secure, "signed_out")
	if back := h.returnTo(formValue(c, "return_to")); back != "" { // to sign in there with another account
		return leave(c, pages.SignInAndBack(pageLocale(c), back))
	}
	return leave(c, "/"+pageLocale(c))
}
