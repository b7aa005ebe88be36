package handlers

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// shownLetters is how many letters that were not sent the page lists.
const shownLetters = 50

// showUnsent is GET /{locale}/admin/letters: the letters that were not sent, and when users are told of low balances.
func (h *Handler) showUnsent(c *fiber.Ctx) error {
	low, err := h.Mail.LowBalance(c.UserContext())
	if err != nil {
		return err
	}
	form := pages.ThresholdForm{Standard: low.Standard}
	if low.Set != nil {
		form.LowBalance = strconv.FormatInt(int64(*low.Set), 10)
	}
	return h.renderUnsent(c, fiber.StatusOK, form)
}

func (h *Handler) renderUnsent(c *fiber.Ctx, status int, form pages.ThresholdForm) error {
	letters, err := h.Mail.Unsent(c.UserContext(), shownLetters)
	if err != nil {
		return err
	}
	total, err := h.Mail.CountUnsent(c.UserContext())
	if err != nil {
		return err
	}
	return h.render(c, status, "admin_letters.title", pages.AdminLetters(pages.AdminLettersData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).token, Letters: letters, Total: total, Form: form}))
}

// saveThreshold is POST /{locale}/admin/letters: the balance below which users get a letter.
func (h *Handler) saveThreshold(c *fiber.Ctx) error {
	form := pages.ThresholdForm{LowBalance: strings.TrimSpace(formValue(c, "low_balance"))}
	var threshold *models.Credits
	if form.LowBalance != "" {
		credits := models.Credits(parseDigits(form.LowBalance))
		threshold = &credits
	}
	err := h.Mail.SetLowBalance(c.UserContext(), threshold)
	if errors, status := h.formErrors(c, err, fault.Invalid); errors != nil {
		low, err := h.Mail.LowBalance(c.UserContext())
		if err != nil {
			return err
		}
		form.Standard, form.Errors = low.Standard, errors
		return h.renderUnsent(c, status, form)
	}
	if err != nil {
		return err
	}
	return h.redirectWithFlash(c, localPath(c, "/admin/letters"), "threshold_saved")
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
