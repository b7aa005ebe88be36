package handlers

import (
	"fmt"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// changeAccess is POST /{locale}/admin/users/{id}/relink, /right and /sessions: an admin's decision about how a user
// signs in.
func (h *Handler) changeAccess(action pages.AccessAction) fiber.Handler {
	change := map[pages.AccessAction]func(*fiber.Ctx, auth.ByAdmin) error{
		pages.AccessRelink: func(c *fiber.Ctx, by auth.ByAdmin) error { return h.Auth.Relink(c.UserContext(), by) },
		pages.AccessRight:  func(c *fiber.Ctx, by auth.ByAdmin) error { return h.Auth.MoveAdminRight(c.UserContext(), by) },
		pages.AccessSessions: func(c *fiber.Ctx, by auth.ByAdmin) error {
			return h.Sessions.rows.EndByAdmin(c.UserContext(),
				by)
		},
	}[action]
	return func(c *fiber.Ctx) error {
		form := pages.AccessForm{Action: action, Identity: formValue(c, "identity"), Note: formValue(c, "note")}
		err := admin.CheckNote(form.Note)
		if err == nil {
			err = change(c, auth.ByAdmin{ActorID: currentUserID(c), UserID: pathID(c), Identity: form.Identity, Note: form.Note,
				RequestID: requestID(c)})
		}
		if errors, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); errors != nil {
			form.Errors = errors
			return h.renderAdminUser(c, status, userForms{grant: pages.GrantForm{Direction: pages.DirectionGrant}, access: form})
		}
		return h.redirectAfter(c, fmt.Sprintf("/%s/admin/users/%d", pageLocale(c), pathID(c)), err, "access_"+string(action))
	}
}

// draftedAccess returns the access form of a draft.
func draftedAccess(d draft) pages.AccessForm {
	for _, action := range pages.AccessActions {
		if d.of(string(action)) {
			return pages.AccessForm{Action: action, Identity: d.value("identity"), Note: d.value("note")}
		}
	}
	return pages.AccessForm{}
}

// accessData returns what an admin can decide about how a user signs in.
func (h *Handler) accessData(page admin.UserPage, form pages.AccessForm) pages.AccessData {
	data := pages.AccessData{Sessions: page.Sessions, Form: form}
	for _, r := range page.Refused {
		id := auth.IdentityID(models.Identity{Issuer: r.Issuer, Subject: r.Subject})
		r.Provider = h.providerLabel(r.Provider)
		data.Refused = append(data.Refused, pages.RefusedSignIn{ID: id, RefusedIdentity: r,
			Replaces: slices.DeleteFunc(slices.Clone(page.Identities), func(i models.Identity) bool {
				return i.Issuer != r.Issuer || i.Email != r.Email
			})})
	}
	h.labelProviders(page.WithoutRight)
	for _, identity := range page.WithoutRight {
		data.Rights = append(data.Rights, pages.RightSignIn{ID: auth.IdentityID(identity), Identity: identity})
	}
	return data
}
