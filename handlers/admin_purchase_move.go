package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// movePurchase is POST /{locale}/admin/purchases/{id}/move: it shows the effect of moving a purchase to another
// account and, once that is confirmed, moves it.
func (h *Handler) movePurchase(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := h.Purchase.ByID(ctx, c.Params("id"))
	if err != nil {
		return err
	}
	form := pages.MoveForm{To: formValue(c, "to"), Note: formValue(c, "note")}
	move := admin.Move{ActorID: currentUserID(c), PurchaseID: p.ID, From: parseDigits(formValue(c, "seen")), To: form.To,
		Note: form.Note, RequestID: requestID(c)}
	if confirmed(c) {
		_, err = h.Admin.Move(ctx, move)
	} else {
		var seen admin.MovePreview
		if seen, err = h.Admin.PreviewMove(ctx, move); err == nil {
			return h.summarize(c, pages.MoveSummary(ctx, p, pages.MovePreview(seen), form.Note))
		}
	}
	if errors, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); errors != nil {
		form.Errors = errors
		return h.renderAdminPurchase(c, status, purchaseForms{move: form})
	}
	return h.redirectAfter(c, adminPurchasePath(c, p.ID), err, "purchase_moved")
}
