package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// fillRefundForm fills in the refundable amounts and their effect. It proposes what an open withdrawal entitles to,
// else the value of unused credits, unless the admin typed an amount or asked for the rest.
func fillRefundForm(form pages.RefundForm, page admin.PurchasePage) pages.RefundForm {
	d, user := page.Detail, page.User
	form.Key, form.Seen, form.Left = randomKey(), d.Refunded, d.Left()
	form.Unused, form.Proposal = d.Unused(user.Available()), d.Proposal(user.Available())
	if e := page.Entitlement; e != nil {
		form.Unused, form.Proposal = e.Unused, e.Cents
	}
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

// refundPurchase is POST /{locale}/admin/purchases/{id}/refund: it shows the effect of a refund and, once that is
// confirmed, requests it.
func (h *Handler) refundPurchase(c *fiber.Ctx) error {
	p, err := h.Purchase.ByID(c.UserContext(), c.Params("id"))
	if err != nil {
		return err
	}
	form := pages.RefundForm{Typed: formValue(c, "amount"), Note: formValue(c, "note")}
	var request models.RefundRequest
	if form.Cents, err = parseCents("amount", form.Typed, p.PaymentCurrency(), pageLocale(c)); err == nil {
		refund := admin.Refund{
			ActorID: currentUserID(c), PurchaseID: p.ID, Cents: form.Cents,
			Seen:    models.Cents(parseDigits(formValue(c, "seen"))),
			Waiting: formValue(c, "status") == string(models.PurchaseReview),
			Note:    form.Note, Key: formValue(c, "idempotency_key"), RequestID: requestID(c),
		}
		if !confirmed(c) {
			page, err := h.Admin.PreviewRefund(c.UserContext(), refund)
			if err == nil {
				return h.summarize(c, pages.RefundSummary(c.UserContext(), page.Purchase, page.User, fillRefundForm(form, page)))
			}
			return h.refundRefused(c, form, err)
		}
		request, err = h.Admin.Refund(c.UserContext(), refund)
	}
	if err != nil {
		return h.refundRefused(c, form, err)
	}
	return h.redirectWithFlash(c, adminPurchasePath(c, p.ID), h.refundFlash(c, request))
}

// refundRefused shows the form again with what is wrong; it returns every other error.
func (h *Handler) refundRefused(c *fiber.Ctx, form pages.RefundForm, err error) error {
	if errors, status := h.formErrors(c, err, fault.Invalid, fault.Conflict); errors != nil {
		form.Errors = errors
		if fault.Of(err).Problem == fault.RefundedSince { // the typed amount no longer applies
			form.Typed, form.Cents = "", 0
		}
		return h.renderAdminPurchase(c, status, purchaseForms{refund: form})
	}
	return err
}

// refundFlash names the message for a refund's status: our own, or Stripe's once Stripe has created it. It has the
// credits that all refunds of the purchase have taken, so that a repeated request shows the same.
func (h *Handler) refundFlash(c *fiber.Ctx, request models.RefundRequest) string {
	switch request.Status {
	case models.RefundRefused:
		return "refund_refused"
	case models.RefundPending:
		return "refund_unanswered"
	}
	name := "refund_pending" // Stripe has created it; the next page reads its status again
	if status, err := h.Purchase.RefundStatus(c.UserContext(), request.RefundID); err == nil && status != "" {
		name = "refund_" + status
	}
	p, err := h.Purchase.ByID(c.UserContext(), request.PurchaseID.String())
	if err != nil {
		return "" // the next page shows the refund
	}
	return numberedFlash(name, int64(p.CreditsRefunded))
}
