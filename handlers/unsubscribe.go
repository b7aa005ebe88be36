package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/pages"
)

// showUnsubscribe is GET /{locale}/letters/{id}/unsubscribe: a form, because programs that look for malware open every
// link of a letter.
func (h *Handler) showUnsubscribe(c *fiber.Ctx) error {
	found, err := h.Mail.Subscription(c.UserContext(), c.Params("id"))
	if err != nil {
		return err
	}
	return h.renderUnsubscribe(c, found)
}

// unsubscribe is POST /{locale}/letters/{id}/unsubscribe, from the form and from mail programs, which have no session
// and follow no redirect.
//
// Source: https://www.rfc-editor.org/rfc/rfc8058
func (h *Handler) unsubscribe(c *fiber.Ctx) error {
	found, err := h.Mail.Unsubscribe(c.UserContext(), c.Params("id"))
	if err != nil {
		return err
	}
	return h.renderUnsubscribe(c, found)
}

func (h *Handler) renderUnsubscribe(c *fiber.Ctx, found mail.Subscription) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return h.render(c, fiber.StatusOK, "unsubscribe.title",
		pages.Unsubscribe(pageLocale(c), c.Params("id"), found.Kind, found.Refused))
}
