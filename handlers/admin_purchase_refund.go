package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// offerRefund fills in what can be given back and what that would do: the proposal, unless all of the rest was asked
// for or an amount typed.
func offerRefund(form pages.RefundForm, d purchase.Detail, user models.User) pages.RefundForm {
	form.Key, form.Seen, form.Left = randomKey(), d.Refunded, d.Left()
	form.Unused, form.Proposal = d.Unused(user.Available()), d.Proposal(user.Available())
	switch {
	case form.Cents > 0 && form.Cents <= form.Left:
	case form.Rest || d.Status.Unbooked():
		form.Cents = form.Left
	default:
		form.Cents = form.Proposal
	}
	form.Takes = d.CreditsForRefund(form.Cents)
	form.After = user.CreditsBalance - d.PendingCredits() - form.Takes
	return form
}

// refundPurchase is POST /{locale}/admin/purchases/{id}/refund: give money back.
func (h *Handler) refundPurchase(c *fiber.Ctx) error {
	d, err := h.Purchase.Detail(c.UserContext(), c.Params("id"))
	if err != nil {
		return err
	}
	form := pages.RefundForm{Typed: formValue(c, "amount"), Note: formValue(c, "note")}
	var request models.RefundRequest
	if form.Cents, err = centsOf(form.Typed, d.PaymentCurrency(), pageLocale(c)); err == nil {
		request, err = h.Admin.Refund(c.UserContext(), admin.Refund{
			ActorID: currentUserID(c), PurchaseID: d.ID, Cents: form.Cents, Seen: models.Cents(wholeNumber(formValue(c, "seen"))),
			Waiting: formValue(c, "status") == string(models.PurchaseReview),
			Note:    form.Note, Key: formValue(c, "idempotency_key"), RequestID: requestID(c),
		})
	}
	if f := fault.Of(err); f != nil && (f.Code == fault.Invalid || f.Code == fault.Conflict) {
		keepContent(c)
		form.Errors = map[string]string{f.Field: h.message(c.UserContext(), f)} // a conflict is of no field
		if f.Problem == fault.RefundedSince {                                   // what was typed was meant for other amounts
			form.Typed, form.Cents = "", 0
		}
		return h.renderAdminPurchase(c, answers[f.Code].status, purchaseForms{refund: form})
	}
	if err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, h.refundFlash(c, request))
	return leave(c, adminPurchasePath(c, d.ID))
}

// refundFlash says how far a refund has come: here, and, once Stripe has made it, there.
func (h *Handler) refundFlash(c *fiber.Ctx, request models.RefundRequest) string {
	switch request.Status {
	case models.RefundRefused:
		return "refund_refused"
	case models.RefundPending:
		return "refund_unanswered"
	}
	d, err := h.Purchase.Detail(c.UserContext(), request.PurchaseID.String())
	for _, r := range d.Refunds {
		if err == nil && r.RefundID == request.RefundID {
			return "refund_" + r.Status
		}
	}
	return "refund_pending" // made for certain; the page that follows reads its status again
}
