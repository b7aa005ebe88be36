package handlers

import (
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// grantOf reads the form that moves credits by hand.
func grantOf(c *fiber.Ctx) (form pages.GrantForm, grant admin.Grant, flash string, err error) {
	form = pages.GrantForm{Direction: formValue(c, "direction"), Credits: formValue(c, "credits"), Note: formValue(c, "note")}
	delta := models.Credits(wholeNumber(strings.TrimSpace(form.Credits)))
	if delta < 0 { // not a number: no direction makes it one
		delta = 0
	}
	switch form.Direction {
	case pages.DirectionGrant:
		flash = "granted"
	case pages.DirectionCorrect:
		delta, flash = -delta, "corrected"
	default:
		err = fault.Field("direction", fault.CorrectionDirection)
	}
	return form, admin.Grant{ActorID: currentUserID(c), UserID: idOf(c), Delta: delta, Note: form.Note, Key: formValue(c, "idempotency_key"),
		RequestID: requestID(c)}, flash, err
}

// grantCredits is POST /{locale}/admin/users/{id}/grant: give credits, or take back what was wrong.
func (h *Handler) grantCredits(c *fiber.Ctx) error {
	form, grant, flash, err := grantOf(c)
	if err == nil {
		_, err = h.Admin.Grant(c.UserContext(), grant)
	}
	if f := fault.Of(err); f != nil && (f.Code == fault.Invalid || f.Code == fault.Conflict) {
		keepContent(c)
		form.Errors = map[string]string{f.Field: h.message(c.UserContext(), f)} // a conflict is of no field; the form comes with a new key
		return h.renderAdminUser(c, answers[f.Code].status, userForms{grant: form})
	}
	if err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, flash)
	return leave(c, fmt.Sprintf("/%s/admin/users/%d", pageLocale(c), idOf(c)))
}

// previewGrant answers the form without booking anything, where that was asked for: what is wrong with it, and what the
// balance would be. The reason may still be missing, unless it is what was asked about.
func (h *Handler) previewGrant(c *fiber.Ctx) error {
	asked := formValue(c, "preview")
	if asked == "" {
		return c.Next()
	}
	form, grant, _, wrong := grantOf(c)
	after := models.Credits(0)
	if wrong == nil {
		after, wrong = h.Admin.Preview(c.UserContext(), grant)
	}
	if wrong == nil {
		form.After = &after
	}
	problems := []error{wrong}
	if asked == "note" || strings.TrimSpace(form.Note) != "" {
		problems = append(problems, admin.CheckNote(form.Note))
	}
	form.Errors = map[string]string{}
	for _, err := range problems {
		f := fault.Of(err)
		switch {
		case err == nil:
		case f == nil || f.Code != fault.Invalid:
			return err
		default:
			form.Errors[f.Field] = h.message(c.UserContext(), f)
		}
	}
	status := fiber.StatusOK // to who types: nothing has been refused
	if len(form.Errors) > 0 && !wantsFragment(c) {
		status = answers[fault.Invalid].status
	}
	return h.renderAdminUser(c, status, userForms{grant: form})
}
