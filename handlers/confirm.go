package handlers

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/views/pages"
)

// requireProof keeps what cannot be undone from whoever merely has the browser: its user must just have signed in, or
// confirmed at their provider that it is still them. Nothing is done without it. What was typed comes back in the form.
func (h *Handler) requireProof(c *fiber.Ctx) error {
	if h.proved(c) {
		return c.Next()
	}
	to := confirmPath(c, formPage(c))
	if wantsFragment(c) { // htmx would follow a redirect into a part of the page
		c.Set("HX-Redirect", to)
		return nil
	}
	return leave(c, to)
}

// proved reports whether this browser's user has lately come from their provider.
func (h *Handler) proved(c *fiber.Ctx) bool { return h.Sessions.rows.Reauthenticated(currentVisitor(c).session) }

// confirmPath is the page that asks for a proof and leads back.
func confirmPath(c *fiber.Ctx, back string) string {
	return "/" + pageLocale(c) + "/confirm?return_to=" + url.QueryEscape(back)
}

// showConfirm is GET /{locale}/confirm: it tells why and leads to the providers through which the user can show that it
// is still them.
func (h *Handler) showConfirm(c *fiber.Ctx) error {
	back := h.returnTo(c.Query("return_to"))
	if back == "" {
		back = "/" + pageLocale(c) + "/account"
	}
	if h.proved(c) {
		return leave(c, back)
	}
	ways, err := h.ownProviders(c, back)
	if err != nil {
		return err
	}
	data := pages.ConfirmData{Ways: ways, Back: back, Minutes: int(auth.ReauthLife.Minutes())}
	return h.render(c, fiber.StatusOK, "confirm.title", pages.Confirm(data))
}
