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
	h.forgetTyped(c)
	h.setFlash(c, "signed_out")
	if back := h.returnTo(formValue(c, "return_to")); back != "" { // switch to another account
		return redirect(c, pages.SignInAndBack(pageLocale(c), back))
	}
	return redirect(c, localPath(c, ""))
}

// forgetTyped removes what a user who leaves has typed from the browser, so that its next user does not see it.
func (h *Handler) forgetTyped(c *fiber.Ctx) {
	h.Sessions.setCookie(c, h.Sessions.cookieName(draftCookie), "", -1)
	c.Set("Clear-Site-Data", `"storage"`) // Resume Matcher stores drafts there
}
