package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/views/pages"
)

// showAudit is GET /{locale}/admin/audit.
func (h *Handler) showAudit(c *fiber.Ctx) error {
	cursor, err := parseCursor(c)
	if err != nil {
		return err
	}
	f := h.parseFilter(c)
	f.shown.Kind, f.shown.User = f.choice("kind", models.Actions()), f.text("user")
	data := pages.AdminAuditData{Locale: pageLocale(c), Filter: f.shown, Further: cursor != 0}
	if f.status() == fiber.StatusOK {
		data.Entries, data.Next, err = h.Admin.Audit(c.UserContext(),
			admin.AuditQuery{Action: f.shown.Kind, User: f.shown.User, From: f.from, Until: f.until,
				Object: f.shown.Object, Before: cursor, Limit: entriesPerPage})
		if err != nil {
			return err
		}
		if data.People, err = h.Admin.Named(c.UserContext(), data.Entries); err != nil {
			return err
		}
		if err := h.labelAudit(data.Entries); err != nil {
			return err
		}
	}
	return h.render(c, f.status(), "admin_audit.title", pages.AdminAudit(data))
}
