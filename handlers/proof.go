package handlers

import (
	"net/url"
	"strings"

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
func (h *Handler) proved(c *fiber.Ctx) bool { return h.Sessions.rows.Proved(currentVisitor(c).session) }

// confirmPath is the page that asks for a proof and leads back.
func confirmPath(c *fiber.Ctx, back string) string {
	return "/" + pageLocale(c) + "/confirm?return_to=" + url.QueryEscape(back)
}

// notKept are the fields of a form that must not come back with it: they are good for one answer, or are an agreement.
var notKept = map[string]bool{"_csrf": true, "idempotency_key": true, "seen": true, "sure": true}

// formPage is the page with the form that was posted, and in its query what was typed: all that an address has room for.
func formPage(c *fiber.Ctx) string {
	path, _ := ownerPath(c, pageLocale(c))
	path = "/" + pageLocale(c) + strings.TrimSuffix(path, "/export.zip") // its link is there
	typed, longest := url.Values{}, ""
	for key := range c.Request().PostArgs().All() {
		name := string(key)
		if !notKept[name] {
			typed.Set(name, formValue(c, name))
		}
		if len(typed.Get(name)) > len(typed.Get(longest)) {
			longest = name
		}
	}
	if action, ok := strings.CutPrefix(c.Path(), path+"/"); ok && len(typed) > 0 { // the page may have several forms
		typed.Set("form", action)
	}
	for len(path)+1+len(typed.Encode()) > maxReturnTo && longest != "" {
		typed.Del(longest)
		longest = ""
	}
	if len(typed) == 0 || len(path)+1+len(typed.Encode()) > maxReturnTo {
		return path
	}
	return path + "?" + typed.Encode()
}

// queryValue reads what formPage kept.
func queryValue(c *fiber.Ctx, name string) string {
	return strings.ToValidUTF8(c.Query(name), "\uFFFD")
}

// typedIn reports whether what formPage kept was typed into the form that is posted to this action.
func typedIn(c *fiber.Ctx, action string) bool { return c.Query("form") == action }

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
	data := pages.ConfirmData{Ways: ways, Back: back, Minutes: int(auth.ProofLife.Minutes())}
	return h.render(c, fiber.StatusOK, "confirm.title", pages.Confirm(data))
}
