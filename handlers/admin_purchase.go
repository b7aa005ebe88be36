package handlers

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/views/pages"
)

// showAdminPurchase is GET /{locale}/admin/purchases/{id}: why somebody has, or has not, got the credits that they bought.
func (h *Handler) showAdminPurchase(c *fiber.Ctx) error {
	forms := purchaseForms{refund: pages.RefundForm{Rest: c.Query("amount") == "rest"}}
	for _, way := range models.WaysOut() {
		if typedIn(c, string(way)) {
			forms.decision = pages.DecisionForm{Way: way, Note: queryValue(c, "note"), Credits: queryValue(c, "credits"), Share: queryValue(c, "share"), DisputeID: queryValue(c, "dispute_id")}
		}
	}
	switch { // what was typed before a proof was asked for
	case typedIn(c, "move"):
		forms.move.To, forms.move.Note = queryValue(c, "to"), queryValue(c, "note")
	case typedIn(c, "refund"):
		forms.refund.Typed, forms.refund.Note = queryValue(c, "amount"), queryValue(c, "note")
	}
	return h.renderAdminPurchase(c, fiber.StatusOK, forms)
}

// purchaseForms are the forms of a purchase's page as they were sent, those that were.
type purchaseForms struct {
	refund   pages.RefundForm
	move     pages.MoveForm
	decision pages.DecisionForm
}

func (h *Handler) renderAdminPurchase(c *fiber.Ctx, status int, forms purchaseForms) error {
	ctx := c.UserContext()
	d, err := h.Purchase.Detail(ctx, c.Params("id"))
	if err != nil {
		return err
	}
	if status == fiber.StatusOK && forms.refund.Typed != "" {
		if forms.refund.Cents, err = centsOf(forms.refund.Typed, d.PaymentCurrency(), pageLocale(c)); err != nil {
			forms.refund.Cents = 0 // it is judged when it is sent
		}
	}
	user, err := h.Admin.User(ctx, d.UserID)
	if err != nil {
		return err
	}
	events, err := h.Webhook.OfPurchase(ctx, d.CheckoutSessionID, d.PaymentIntentID)
	if err != nil {
		return err
	}
	entries, err := h.Ledger.OfPurchase(ctx, d.ID.String(), 0)
	if err != nil {
		return err
	}
	data := pages.AdminPurchaseData{
		Locale: pageLocale(c), CSRF: currentVisitor(c).token, User: user, Purchase: d.Purchase, Events: events, Entries: entries,
		Refunds: d.Refunds, Disputes: d.Disputes, Requests: d.Requests, Form: offerRefund(forms.refund, d, user), Move: forms.move, Decision: forms.decision,
	}
	for _, w := range d.WaitingFor {
		data.Waits = append(data.Waits, string(w))
	}
	if h.Site.Sandbox {
		data.Dashboard = h.Site.Dashboard
	}
	return h.render(c, status, "admin_purchase.title", pages.AdminPurchase(data))
}

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

// checkPurchase is POST /{locale}/admin/purchases/{id}/check: ask Stripe now, and book what its events have not brought.
func (h *Handler) checkPurchase(c *fiber.Ctx) error {
	n, err := h.Purchase.Refresh(c.UserContext(), c.Params("id"))
	switch {
	case fault.Is(err, fault.Unavailable):
		setFlash(c, h.Sessions.secure, "check_away")
	case errors.Is(err, purchase.ErrNotOurs):
		setFlash(c, h.Sessions.secure, "check_unpaid")
	case errors.As(err, new(purchase.ReviewError)):
		setFlash(c, h.Sessions.secure, "check_review")
	case err != nil:
		return err
	default:
		countedFlash(c, h.Sessions.secure, "checked", n)
	}
	if err != nil {
		h.Site.Log.WarnContext(c.UserContext(), "asking Stripe by hand brought nothing", "purchase_id", c.Params("id"), "err", err)
	}
	return leave(c, "/"+pageLocale(c)+"/admin/purchases/"+c.Params("id"))
}
