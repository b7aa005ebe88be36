package handlers

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

const localAbout = "about" // the number of the purchase that a page shows

// aboutPurchase names the purchase in the subject of the page's help link.
func aboutPurchase(c *fiber.Ctx, n models.PurchaseNumber) { c.Locals(localAbout, n.String()) }

// helpAddress returns the mailto link to SUPPORT_EMAIL, empty without one. Its subject names the purchase that the page
// shows and, on an error page, the request.
func (h *Handler) helpAddress(c *fiber.Ctx, status int) string {
	if h.Site.Support == "" {
		return ""
	}
	subject := []string{locales.T(c.UserContext(), "app.name")}
	if number, ok := c.Locals(localAbout).(string); ok {
		subject = append(subject, number)
	}
	if status >= fiber.StatusBadRequest {
		subject = append(subject, requestID(c))
	}
	return pages.MailAddress(h.Site.Support, url.Values{"subject": {strings.Join(subject, " · ")}})
}
