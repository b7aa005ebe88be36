package handlers

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// saveProfile is POST /{locale}/account. The redirect uses the language that the user chose.
func (h *Handler) saveProfile(c *fiber.Ctx) error {
	name, locale := formValue(c, "name"), formValue(c, "locale")
	err := h.Auth.Rename(c.UserContext(), currentUserID(c), name, locale)
	if errors, status := h.formErrors(c, err, fault.Invalid); errors != nil {
		return h.renderAccount(c, status, pages.AccountData{Name: name, Language: locale, Errors: errors})
	}
	return h.redirectAfter(c, "/"+locale+"/account", err, "profile_saved")
}

// saveLetters is POST /{locale}/account/letters: which of the optional letters the user wants.
func (h *Handler) saveLetters(c *fiber.Ctx) error {
	refused := refusedLetters(func(name string) string { return formValue(c, name) })
	for _, kind := range models.LetterKinds() {
		if !kind.Optional() {
			continue
		}
		wanted := !slices.Contains(refused, kind)
		if err := h.Mail.SetWanted(c.UserContext(), currentUserID(c), kind, wanted); err != nil {
			return err
		}
	}
	return h.redirectWithFlash(c, localPath(c, "/account"), "letters_saved")
}

// refusedLetters returns the optional letters that the reader left unchecked; value returns a field of the form by its
// name. The result is never nil.
func refusedLetters(value func(name string) string) []models.LetterKind {
	refused := []models.LetterKind{}
	for _, kind := range models.LetterKinds() {
		if kind.Optional() && value(string(kind)) == "" {
			refused = append(refused, kind)
		}
	}
	return refused
}
