package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// movePurchase is POST /{locale}/admin/purchases/{id}/move: give a purchase to the account that it was meant for, or,
// with preview, say what that would do.
func (h *Handler) movePurchase(c *fiber.Ctx) error {
	ctx := c.UserContext()
	d, err := h.Purchase.Detail(ctx, c.Params("id"))
	if err != nil {
		return err
	}
	form := pages.MoveForm{To: formValue(c, "to"), Note: formValue(c, "note")}
	move := admin.Move{ActorID: currentUserID(c), PurchaseID: d.ID, From: wholeNumber(formValue(c, "seen")), To: form.To, Note: form.Note, RequestID: requestID(c)}
	preview := formValue(c, "preview") != ""
	if preview {
		var seen admin.MovePreview
		seen, err = h.Admin.PreviewMove(ctx, move)
		form.Preview = &pages.MovePreview{To: seen.To, Credits: seen.Credits, FromLeft: seen.FromAfter, ToHave: seen.ToAfter}
	} else {
		_, err = h.Admin.Move(ctx, move)
	}
	if f := fault.Of(err); f != nil && (f.Code == fault.Invalid || f.Code == fault.Conflict) {
		keepContent(c)
		form.Preview, form.Errors = nil, map[string]string{f.Field: h.message(ctx, f)} // a conflict is of no field
		return h.renderAdminPurchase(c, answers[f.Code].status, purchaseForms{move: form})
	}
	switch {
	case err != nil:
		return err
	case preview:
		return h.renderAdminPurchase(c, fiber.StatusOK, purchaseForms{move: form})
	}
	setFlash(c, h.Sessions.secure, "purchase_moved")
	return leave(c, adminPurchasePath(c, d.ID))
}
