package handlers

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/pages"
)

// shownLetters is how many letters that were not sent the page lists.
const shownLetters = 50

// showUnsent is GET /{locale}/admin/letters: the letters that were not sent, and the settings.
func (h *Handler) showUnsent(c *fiber.Ctx) error {
	settings, err := h.Mail.Settings(c.UserContext())
	if err != nil {
		return err
	}
	form := pages.LetterSettingsForm{Standard: settings.Standard, Digest: settings.Digest}
	if settings.LowBalance != nil {
		form.LowBalance = strconv.FormatInt(int64(*settings.LowBalance), 10)
	}
	if d := h.loadDraft(c); d.of("") {
		form.LowBalance, form.Digest = d.value("low_balance"), d.value("digest") != ""
	}
	return h.renderUnsent(c, fiber.StatusOK, form)
}

func (h *Handler) renderUnsent(c *fiber.Ctx, status int, form pages.LetterSettingsForm) error {
	letters, err := h.Mail.Unsent(c.UserContext(), shownLetters)
	if err != nil {
		return err
	}
	total, err := h.Mail.CountUnsent(c.UserContext())
	if err != nil {
		return err
	}
	return h.render(c, status, "admin_letters.title", pages.AdminLetters(pages.AdminLettersData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), Letters: letters, Total: total, Form: form}))
}

// saveLetterSettings is POST /{locale}/admin/letters: which optional letters the product writes.
func (h *Handler) saveLetterSettings(c *fiber.Ctx) error {
	form := pages.LetterSettingsForm{LowBalance: strings.TrimSpace(formValue(c, "low_balance")),
		Digest: formValue(c, "digest") != ""}
	settings := mail.Settings{Digest: form.Digest}
	if form.LowBalance != "" {
		credits := models.Credits(parseDigits(form.LowBalance))
		settings.LowBalance = &credits
	}
	err := h.Mail.SaveSettings(c.UserContext(), settings)
	if errors, status := h.formErrors(c, err, fault.Invalid); errors != nil {
		known, err := h.Mail.Settings(c.UserContext())
		if err != nil {
			return err
		}
		form.Standard, form.Errors = known.Standard, errors
		return h.renderUnsent(c, status, form)
	}
	return h.redirectAfter(c, localPath(c, "/admin/letters"), err, "letter_settings_saved")
}

// retryLetters is POST /{locale}/admin/letters/retry: all that failed.
func (h *Handler) retryLetters(c *fiber.Ctx) error {
	_, err := h.Mail.RetryFailed(c.UserContext())
	return h.redirectAfter(c, localPath(c, "/admin/letters"), err, "letters_retried")
}

// changeLetter is POST /{locale}/admin/letters/{id}/retry and /close.
func (h *Handler) changeLetter(change func(ctx context.Context, id string) error, flash string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		return h.redirectAfter(c, localPath(c, "/admin/letters"), change(c.UserContext(), c.Params("id")), flash)
	}
}
