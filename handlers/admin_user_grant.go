package handlers

import (
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/views/pages"
)

// parseGrant parses the form that posts credits by hand.
func parseGrant(c *fiber.Ctx) (form pages.GrantForm, grant admin.Grant, flash string, err error) {
	form = pages.GrantForm{Direction: formValue(c, "direction"), Credits: formValue(c, "credits"),
		Note: formValue(c, "note")}
	delta := max(models.Credits(parseDigits(strings.TrimSpace(form.Credits))), 0) // 0: not a number, in either direction
	switch form.Direction {
	case pages.DirectionGrant:
		flash = "granted"
	case pages.DirectionCorrect:
		delta, flash = -delta, "corrected"
	default:
		err = fault.Field("direction", fault.CorrectionDirection)
	}
	return form, admin.Grant{ActorID: currentUserID(c), UserID: pathID(c), Delta: delta, Note: form.Note,
		Key:       formValue(c, "idempotency_key"),
		RequestID: requestID(c)}, flash, err
}

// grantCredits is POST /{locale}/admin/users/{id}/grant: it shows the effect of a grant or correction and, once that is
// confirmed, books it.
func (h *Handler) grantCredits(c *fiber.Ctx) error {
	form, grant, flash, err := parseGrant(c)
	var posted ledger.Posted
	if err == nil && confirmed(c) {
		posted, err = h.Admin.Grant(c.UserContext(), grant)
	} else if err == nil {
		var user models.User
		var after models.Credits
		if user, after, err = h.Admin.Preview(c.UserContext(), grant); err == nil {
			err = admin.CheckNote(grant.Note)
		}
		if err == nil {
			return h.summarize(c, pages.GrantSummary(c.UserContext(), user, grant.Delta, after, grant.Note))
		}
	}
	if errors, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); errors != nil {
		form.Errors = errors
		return h.renderAdminUser(c, status, userForms{grant: form})
	}
	return h.redirectAfter(c, fmt.Sprintf("/%s/admin/users/%d", pageLocale(c), pathID(c)), err,
		numberedFlash(flash, max(int64(posted.DeltaCredits), -int64(posted.DeltaCredits)), int64(posted.BalanceAfter)))
}

// previewGrant handles the same POST with a preview field, which the page sends while the admin types: it validates the
// form and shows the resulting balance. An empty note is accepted unless the note itself is being checked.
func (h *Handler) previewGrant(c *fiber.Ctx) error {
	preview := formValue(c, "preview")
	if preview == "" {
		return c.Next()
	}
	form, grant, _, wrong := parseGrant(c)
	after := models.Credits(0)
	if wrong == nil {
		_, after, wrong = h.Admin.Preview(c.UserContext(), grant)
	}
	if wrong == nil {
		form.After = &after
	}
	problems := []error{wrong}
	if preview == "note" || strings.TrimSpace(form.Note) != "" {
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
	status := fiber.StatusOK // validation while typing is not a failed request
	if len(form.Errors) > 0 && !wantsFragment(c) {
		status = answers[fault.Invalid].status
	}
	return h.renderAdminUser(c, status, userForms{grant: form})
}
