package handlers

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

// showComponents is GET /{locale}/dev/components: every component in each of its states. Production answers 404.
func (h *Handler) showComponents(c *fiber.Ctx) error {
	if !h.Site.Development {
		return fault.New(fault.NotFound, nil)
	}
	now := time.Now().In(components.Zone(c.UserContext()))
	return h.render(c, fiber.StatusOK, "components.title",
		pages.Components(pages.ComponentsData{Locale: pageLocale(c), Now: now}))
}

// pickDevelopment redirects from a page of development to the same in the visitor's language.
func (h *Handler) pickDevelopment(c *fiber.Ctx) error {
	if !h.Site.Development {
		return fault.New(fault.NotFound, nil)
	}
	c.Vary(fiber.HeaderAcceptLanguage, fiber.HeaderCookie)
	return redirect(c, "/"+h.preferredLocale(c)+c.Route().Path)
}
