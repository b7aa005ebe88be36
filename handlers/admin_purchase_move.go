package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// movePurchase is POST /{locale}/admin/purchases/{id}/move: it moves a purchase to another account, or, with preview,
// shows the effect.
func (h *Handler) movePurchase(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := h.Purchase.ByID(ctx, c.Params("id"))
	if err != nil {
		return err
	}
	form := pages.MoveForm{To: formValue(c, "to"), Note: formValue(c, "note")}
	move := admin.Move{ActorID: currentUserID(c), PurchaseID: p.ID, From: parseDigits(formValue(c, "seen")), To: form.To,
		Note: form.Note, RequestID: requestID(c)}
	preview := formValue(c, "preview") != ""
	if preview {
		var seen admin.MovePreview
		seen, err = h.Admin.PreviewMove(ctx, move)
		form.Preview = new(pages.MovePreview(seen))
	} else {
		_, err = h.Admin.Move(ctx, move)
	}
	if errors, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); errors != nil {
		form.Preview, form.Errors = nil, errors
		return h.renderAdminPurchase(c, status, purchaseForms{move: form})
	}
	switch {
	case err != nil:
		return err
	case preview:
		return h.renderAdminPurchase(c, fiber.StatusOK, purchaseForms{move: form})
	}
	return h.redirectWithFlash(c, adminPurchasePath(c, p.ID), "purchase_moved")
}
