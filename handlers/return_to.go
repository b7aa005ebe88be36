package handlers

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/views/pages"
)

// returnTo returns address when it is one of our pages or Resume Matcher's, and "" otherwise.
func (h *Handler) returnTo(address string) string {
	address = ownPath(address)
	path, _, _ := strings.Cut(address, "?")
	for _, pattern := range h.pages {
		if path != "" && fiber.RoutePatternMatch(path, pattern, fiber.Config{CaseSensitive: true}) {
			return address
		}
	}
	if h.Gate != nil && path != "" && !isOwn(path) {
		if _, err := h.Gate.Routes.Match(fiber.MethodGet, routes.Path(path)); err == nil {
			return address
		}
	}
	return ""
}

// pagesOf lists the route patterns of our pages: those with a locale that answer GET.
func pagesOf(app *fiber.App) []string {
	var patterns []string
	for _, route := range app.GetRoutes(true) {
		if route.Method == fiber.MethodGet && strings.HasPrefix(route.Path, "/:locale") {
			patterns = append(patterns, route.Path)
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// redirectToSignIn answers a request whose session ended while its page was open: it redirects to the sign-in page,
// which says so and leads back.
func (h *Handler) redirectToSignIn(c *fiber.Ctx) error {
	h.setFlash(c, "session_over")
	to := h.signInPage(c)
	if wantsFragment(c) { // htmx would swap the redirect's target into the page
		c.Set("HX-Redirect", to)
		c.Status(fiber.StatusNoContent)
		return nil
	}
	return redirect(c, to)
}

// byPerson reports whether a request is for one of our own pages or forms.
func (h *Handler) byPerson(c *fiber.Ctx) bool {
	return (c.Method() == fiber.MethodGet || c.Method() == fiber.MethodPost) && !isAPI(c) && !h.inGate(c) && !h.atGate(c)
}

// signInPage returns the sign-in page that leads back: to the requested page, to the form that was posted, with what
// was typed (see draft), or, for another htmx request, to the page that the browser shows.
func (h *Handler) signInPage(c *fiber.Ctx) string {
	back := c.OriginalURL()
	switch {
	case c.Method() == fiber.MethodPost:
		back = h.saveDraft(c)
	case wantsFragment(c):
		shown, err := url.Parse(c.Get("HX-Current-URL"))
		if back = ""; err == nil && h.ownOrigin(shown.Scheme+"://"+shown.Host, string(c.Request().Host())) {
			back = shown.RequestURI()
		}
	}
	if back = h.returnTo(back); back == "" {
		return localPath(c, "/login")
	}
	return pages.SignInAndBack(pageLocale(c), back)
}

// maxReturnTo limits the length of an address to return to: sealed in a cookie, it must stay below maxCookie.
const maxReturnTo = 2300

// ownPath returns target when it is a plain path of ours, and "" for everything else: other hosts in any disguise,
// and characters that browsers may read differently.
func ownPath(target string) string {
	if len(target) > maxReturnTo || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "/auth/") {
		return ""
	}
	for _, r := range target {
		if r <= ' ' || r == 0x7f || r == '\\' || r > 0x7e {
			return ""
		}
	}
	path, query, _ := strings.Cut(target, "?")
	if strings.Contains(path, "//") || strings.Contains(path, "..") || strings.ContainsAny(path, "%@:;#") ||
		strings.Contains(query, "#") {
		return ""
	}
	return target
}
