package handlers

import (
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/views/pages"
)

// reauthMinutes is how long a reauthentication counts, for the pages that ask for one.
const reauthMinutes = int(auth.ReauthLife / time.Minute)

// requireReauth protects irreversible actions from a stranger with the user's browser: the user must have signed in
// recently, or reauthenticated at their provider. The typed values return with the form.
func (h *Handler) requireReauth(c *fiber.Ctx) error {
	if h.reauthenticated(c) {
		return c.Next()
	}
	to := confirmPath(c, h.saveDraft(c))
	if wantsFragment(c) { // htmx would swap the redirect's target into the page
		c.Set("HX-Redirect", to)
		return nil
	}
	return redirect(c, to)
}

// reauthenticated reports whether the session's user has recently signed in or reauthenticated.
func (h *Handler) reauthenticated(c *fiber.Ctx) bool {
	return h.Sessions.rows.Reauthenticated(currentVisitor(c).session)
}

// confirmPath returns the page that asks the user to reauthenticate and leads back.
func confirmPath(c *fiber.Ctx, back string) string {
	return localPath(c, "/confirm?return_to="+url.QueryEscape(back))
}

// showConfirm is GET /{locale}/confirm: it explains why and links to the user's providers.
func (h *Handler) showConfirm(c *fiber.Ctx) error {
	back := h.returnTo(c.Query("return_to"))
	if back == "" {
		back = localPath(c, "/account")
	}
	if h.reauthenticated(c) {
		return redirect(c, back)
	}
	providers, err := h.ownSignIns(c, back)
	if err != nil {
		return err
	}
	data := pages.ConfirmData{Providers: providers, Back: back, Minutes: reauthMinutes}
	return h.render(c, fiber.StatusOK, "confirm.title", pages.Confirm(data))
}
