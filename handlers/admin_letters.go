package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/views/pages"
)

// shownLetters is how many letters that were not sent the page lists.
const shownLetters = 50

// showUnsent is GET /{locale}/admin/letters: the letters that were not sent.
func (h *Handler) showUnsent(c *fiber.Ctx) error {
	letters, err := h.Mail.Unsent(c.UserContext(), shownLetters)
	if err != nil {
		return err
	}
	total, err := h.Mail.CountUnsent(c.UserContext())
	if err != nil {
		return err
	}
	return h.render(c, fiber.StatusOK, "admin_letters.title", pages.AdminLetters(pages.AdminLettersData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).token, Letters: letters, Total: total}))
}

// retryLetters is POST /{locale}/admin/letters/retry: all that failed.
func (h *Handler) retryLetters(c *fiber.Ctx) error {
	if _, err := h.Mail.RetryFailed(c.UserContext()); err != nil {
		return err
	}
	return h.redirectWithFlash(c, localPath(c, "/admin/letters"), "letters_retried")
}

// changeLetter is POST /{locale}/admin/letters/{id}/retry and /close.
func (h *Handler) changeLetter(change func(ctx context.Context, id string) error, flash string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := change(c.UserContext(), c.Params("id")); err != nil {
			return err
		}
		return h.redirectWithFlash(c, localPath(c, "/admin/letters"), flash)
	}
}
