package handlers

import (
	"cmp"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// showDeletion is GET /{locale}/account/delete: what a deletion removes and what the law makes us keep.
func (h *Handler) showDeletion(c *fiber.Ctx) error {
	return h.renderDeletion(c, fiber.StatusOK, nil)
}

// renderDeletion sends the deletion page with the errors of its form.
func (h *Handler) renderDeletion(c *fiber.Ctx, status int, errors map[string]string) error {
	d, err := h.Account.PreviewDeletion(c.UserContext(), currentUserID(c))
	if err != nil {
		return err
	}
	data := pages.AccountDeletionData{Locale: pageLocale(c), CSRF: currentVisitor(c).csrf(), Balance: d.Balance,
		Holds: d.Holds, Held: d.Held,
		Awaiting: d.Awaiting, Disputed: d.Disputed, Booked: d.Booked, Resumes: d.Resumes, Until: d.Until,
		Errors: errors, Refund: cmp.Or(formValue(c, "refund"), h.loadDraft(c).value("refund")),
		Minutes: reauthMinutes}
	for _, r := range d.Refunds {
		data.Refunds = append(data.Refunds, pages.DeletionRefund{Purchase: r.Purchase, Offer: r.Offer, Withdraw: r.Withdraw})
	}
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

// deleteAccount is POST /{locale}/account/delete. It requires the ticked checkbox, and first requests the refunds that
// the page offers, if the user wants them.
func (h *Handler) deleteAccount(c *fiber.Ctx) error {
	err := h.refundBeforeDeletion(c)
	if err == nil {
		err = h.Account.Delete(c.UserContext(), currentUserID(c))
	}
	if texts, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); texts != nil {
		return h.renderDeletion(c, status, texts)
	}
	if err != nil {
		return err
	}
	h.forgetTyped(c)
	return h.redirectWithFlash(c, localPath(c, ""), "account_deleted")
}

// refundBeforeDeletion requests the refunds of the deletion page.
//
// Errors: fault.Invalid about "sure" or "refund"; those of account.Refund.
func (h *Handler) refundBeforeDeletion(c *fiber.Ctx) error {
	choice, offers := formValue(c, "refund"), formValue(c, "offers")
	switch {
	case offers != "" && choice != pages.DeletionRefunds && choice != pages.DeletionForfeits:
		return fault.Field("refund", fault.ChoiceUnknown)
	case formValue(c, "sure") != "yes":
		return fault.Field("sure", fault.DeletionConfirm)
	case choice != pages.DeletionRefunds:
		return nil
	}
	ctx, locale := c.UserContext(), pageLocale(c)
	return h.Account.Refund(ctx, account.RefundOrder{UserID: currentUserID(c), Locale: locale,
		Sender: h.limitSender(c).String(), Seen: pages.ParseDeletionOffers(offers),
		Contract: func(p models.Purchase) string { return pages.ContractText(ctx, p) }})
}
