package withdrawal

import (
	"slices"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
)

// Preview computes what a declaration about a purchase would entitle its buyer to now, given the credits that they can
// spend.
func (s *Service) Preview(d purchase.Detail, available models.Credits) models.Entitlement {
	used := d.Used(available)
	return Entitle(models.Withdrawal{PurchaseID: &d.ID, ReceivedAt: s.Now(), UsedCredits: &used}, d)
}

// Entitle computes what an open declaration about a purchase entitles the consumer to. With the buyer's consent, the
// used credits are paid for, in proportion to the price; without it, all that is left of the payment is refunded. Money
// that the bank took for a dispute is not refunded again.
//
// Source: §§ 357 Abs. 1, 357a Abs. 2 BGB
func Entitle(w models.Withdrawal, d purchase.Detail) models.Entitlement {
	e := models.Entitlement{DueOn: purchase.DueOn(w.ReceivedAt), Full: !d.LatestConsent().Complete(), Paid: d.PaidCents,
		Refunded: d.Refunded, Currency: d.PaymentCurrency(), Granted: d.CreditsGranted,
		Unused: d.UnusedWithdrawn(w)}
	if w.UsedCredits != nil {
		e.Used = *w.UsedCredits
	}
	e.Cents = d.Kept()
	if !e.Full {
		e.Cents = d.Proposal(e.Unused)
	}
	var refused bool
	e.Sending, refused = refundState(w, d)
	for _, m := range []struct {
		is   bool
		what models.Missing
	}{
		{w.Reworded, models.MissingWording},
		{d.Status != models.PurchasePaid, models.MissingPayment},
		{!w.ReceivedAt.Before(purchase.PeriodEnd(d.CreatedAt)), models.MissingTime},
		{w.UsedCredits == nil, models.MissingUse},
		{w.RunningCredits > 0 && !e.Full, models.MissingResult},
		{slices.ContainsFunc(d.Disputes, models.StripeDispute.MayTake), models.MissingDispute},
		{refused, models.MissingRefund},
		{e.Cents == 0 && !e.Sending, models.MissingAmount},
	} {
		if m.is {
			e.Missing = append(e.Missing, m.what)
		}
	}
	return e
}

// refundState reports whether the refund of a withdrawal is on its way, or was refused.
func refundState(w models.Withdrawal, d purchase.Detail) (sending, refused bool) {
	if w.RefundRequest == nil {
		return false, false
	}
	i := slices.IndexFunc(d.Requests, func(r models.RefundRequest) bool { return r.ID == *w.RefundRequest })
	if i < 0 {
		return false, false
	}
	request := d.Requests[i]
	failed := slices.ContainsFunc(d.Refunds, func(r models.StripeRefund) bool {
		return r.RefundID == request.RefundID && !r.Stands()
	})
	refused = request.Status == models.RefundRefused || failed
	return !refused, refused
}
