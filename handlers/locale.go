package handlers

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/components"
)

const (
	localeCookie = "locale"
	zoneCookie   = "tz" // time zone, set by app.js
)

// useLocale takes the language from the path, and stores it in a cookie when it differs from the preferred one.
func (h *Handler) useLocale(c *fiber.Ctx) error {
	locale := c.Params("locale")
	ctx, ok := h.Site.Texts.Context(c.UserContext(), locale)
	if !ok {
		return fault.New(fault.NotFound, nil)
	}
	c.SetUserContext(components.WithZone(ctx, c.Cookies(h.Sessions.cookieName(zoneCookie))))
	c.Locals(localLocale, locale)
	if h.preferredLocale(c) != locale {
		h.Sessions.setCookie(c, h.Sessions.cookieName(localeCookie), locale, int((365 * 24 * time.Hour).Seconds()))
	}
	return c.Next()
}

// pickLocale redirects / to the visitor's language.
func (h *Handler) pickLocale(c *fiber.Ctx) error {
	c.Vary(fiber.HeaderAcceptLanguage, fiber.HeaderCookie)
	return redirect(c, "/"+h.preferredLocale(c))
}

// preferredLocale returns the user's own language, else the one last chosen in this browser, else the browser's.
func (h *Handler) preferredLocale(c *fiber.Ctx) string {
	if v := currentVisitor(c); v.account != nil && v.account.Locale != "" {
		return v.account.Locale
	}
	if chosen := c.Cookies(h.Sessions.cookieName(localeCookie)); models.KnownLocale(chosen) {
		return chosen
	}
	return h.Site.Texts.Match(c.Get(fiber.HeaderAcceptLanguage))
}

// pageLocale returns the language of the page being served.
func pageLocale(c *fiber.Ctx) string {
	if locale, ok := c.Locals(localLocale).(string); ok {
		return locale
	}
	return models.Locales[0]
}

// ensureLocale chooses a language for requests whose path names none, for the texts of their errors.
func (h *Handler) ensureLocale(c *fiber.Ctx) {
	if _, ok := c.Locals(localLocale).(string); ok {
		return
	}
	locale := h.preferredLocale(c)
	// refused before useLocale ran
	if part, _, _ := strings.Cut(strings.TrimPrefix(c.Path(), "/"), "/"); models.KnownLocale(part) {
		locale = part
	}
	programs := isAPI(c) && !h.inGate(c) // they choose per call
	if programs && (c.Get(fiber.HeaderAcceptLanguage) != "" || currentVisitor(c).key != nil) {
		locale = h.Site.Texts.Match(c.Get(fiber.HeaderAcceptLanguage))
	}
	h.setLocale(c, locale)
}

// setLocale switches the rest of the request to a language.
func (h *Handler) setLocale(c *fiber.Ctx, locale string) {
	if ctx, ok := h.Site.Texts.Context(c.UserContext(), locale); ok {
		c.SetUserContext(ctx)
		c.Locals(localLocale, locale)
	}
}

// localPath returns the address of one of our pages in the language of the page being served.
func localPath(c *fiber.Ctx, path string) string { return "/" + pageLocale(c) + path }
