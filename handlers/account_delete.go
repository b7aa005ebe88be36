package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// showDeletion is GET /{locale}/account/delete: what a deletion removes and what the law makes us keep.
func (h *Handler) showDeletion(c *fiber.Ctx) error {
	return h.renderDeletion(c, fiber.StatusOK, "")
}

// renderDeletion sends the deletion page; problem is the error beside its checkbox.
func (h *Handler) renderDeletion(c *fiber.Ctx, status int, problem string) error {
	d, err := h.Account.PreviewDeletion(c.UserContext(), currentUserID(c))
	if err != nil {
		return err
	}
	data := pages.AccountDeletionData{Locale: pageLocale(c), CSRF: currentVisitor(c).token, Balance: d.Balance,
		Holds: d.Holds, Held: d.Held,
		Awaiting: d.Awaiting, Disputed: d.Disputed, Booked: d.Booked, Resumes: d.Resumes, Until: d.Until, Error: problem,
		Minutes: reauthMinutes}
	if !h.reauthenticated(c) {
		if data.Prove, err = h.ownSignIns(c, ""); err != nil {
			return err
		}
	}
	return h.render(c, status, "account.delete.title", pages.AccountDeletion(data))
}

// ownSignIns lists the configured providers of the user's identities, each with the address that reauthenticates and
// returns to back.
func (h *Handler) ownSignIns(c *fiber.Ctx, back string) ([]pages.Linkable, error) {
	identities, err := h.Auth.Identities(c.UserContext(), currentUserID(c))
	if err != nil {
		return nil, err
	}
	var own []pages.Linkable
	for _, p := range h.Auth.Providers() {
		for _, i := range identities {
			if i.Provider == p.Name {
				own = append(own, pages.Linkable{Name: p.Name, Label: p.Label,
					URL: h.flowPath(c, p.Name, auth.KindReauthenticate, back)})
				break
			}
		}
	}
	return own, nil
}

// deleteAccount is POST /{locale}/account/delete. It requires the ticked checkbox.
func (h *Handler) deleteAccount(c *fiber.Ctx) error {
	err := error(fault.Field("sure", fault.DeletionConfirm))
	if formValue(c, "sure") == "yes" {
		err = h.Account.Delete(c.UserContext(), currentUserID(c))
	}
	if texts, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); texts != nil {
		return h.renderDeletion(c, status, texts["sure"])
	}
	if err != nil {
		return err
	}
	c.Set("Clear-Site-Data", `"storage"`) // as signOut
	return h.redirectWithFlash(c, localPath(c, ""), "account_deleted")
}
