package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// saveProfile is POST /{locale}/account. The next page is in the language that was chosen.
func (h *Handler) saveProfile(c *fiber.Ctx) error {
	name, locale := formValue(c, "name"), formValue(c, "locale")
	err := h.Auth.Rename(c.UserContext(), currentUserID(c), name, locale)
	if f := fault.Of(err); f != nil && f.Code == fault.Invalid {
		data := pages.AccountData{Name: name, Language: locale, Errors: map[string]string{f.Field: h.message(c.UserContext(), f)}}
		return h.renderAccount(c, fiber.StatusUnprocessableEntity, data)
	}
	if err != nil {
		return err
	}
	return h.backToAccount(c, locale, "profile_saved")
}
