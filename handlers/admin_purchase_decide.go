package handlers

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// decidePurchase is POST /{locale}/admin/purchases/{id}/book, /foreign and /share: an admin's decision about a
// purchase.
func (h *Handler) decidePurchase(kind models.DecisionKind) fiber.Handler {
	return func(c *fiber.Ctx) error {
		p, err := h.Purchase.ByID(c.UserContext(), c.Params("id"))
		if err != nil {
			return err
		}
		form := pages.DecisionForm{Kind: kind, Note: formValue(c, "note"), Credits: formValue(c, "credits"),
			Share: formValue(c, "share"), DisputeID: formValue(c, "dispute_id")}
		decision := admin.Decision{ActorID: currentUserID(c), Kind: kind, Note: form.Note,
			Credits:   models.Credits(parseDigits(strings.TrimSpace(form.Credits))),
			DisputeID: form.DisputeID, Revision: int(parseDigits(formValue(c, "revision"))),
			Seen: models.PurchaseStatus(formValue(c, "status")), RequestID: requestID(c)}
		if err = admin.CheckNote(form.Note); err == nil && kind == models.DecisionShare {
			decision.Share, err = parseCents("share", form.Share, p.PaymentCurrency(), pageLocale(c))
		}
		if err == nil && kind == models.DecisionBook && !confirmed(c) {
			return h.summarizeBook(c, p, decision)
		}
		if err == nil && kind == models.DecisionShare && !confirmed(c) {
			var preview admin.SharePreview
			if preview, err = h.Admin.PreviewShare(c.UserContext(), p.ID, decision); err == nil {
				return h.summarize(c, pages.ShareSummary(c.UserContext(), p, preview.Buyer, preview.After,
					decision.Share, form.Note))
			}
		} else if err == nil {
			err = h.Admin.DecidePurchase(c.UserContext(), p.ID, decision)
		}
		if errors, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); errors != nil {
			form.Errors = errors
			return h.renderAdminPurchase(c, status, purchaseForms{decision: form})
		}
		return h.redirectAfter(c, adminPurchasePath(c, p.ID), err, "decided_"+string(kind))
	}
}

// summarizeBook shows the effect of booking a payment in review.
func (h *Handler) summarizeBook(c *fiber.Ctx, p models.Purchase, d admin.Decision) error {
	buyer, err := h.Admin.User(c.UserContext(), p.UserID)
	if err != nil {
		return err
	}
	credits := d.Credits
	if p.OrderKnown() {
		credits = p.Credits
	}
	return h.summarize(c, pages.BookSummary(c.UserContext(), p, buyer, max(credits, 0), d.Note))
}

// adminPurchasePath returns the admin page of a purchase.
func adminPurchasePath(c *fiber.Ctx, id uuid.UUID) string {
	return localPath(c, "/admin/purchases/"+id.String())
}
