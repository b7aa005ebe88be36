package purchase

import (
	"fmt"
	"math/big"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// money is what Stripe has said of a payment that went, or may go, back to the card holder. All in cents of the
// payment's own currency.
type money struct {
	RefundsGood     int64 // refunds that stand: pending, requires_action, succeeded
	RefundsBad      int64 // refunds that failed or were canceled: the money stayed
	ChargeCumulated int64 // highest amount_refunded seen on the charge; it counts failed ones too
	Disputed        int64 // disputes that took the money: needs_response, under_review, lost
	Unclear         int64 // of these disputes, how many nobody can count in the payment's currency; each counts as all of it
}

// target is how many of the granted credits the money that went back stands for, in two parts.
//
// The share is computed from totals and rounded down once, so that a series of partial refunds does not drift and a
// full refund removes exactly the grant. It depends on the facts alone, not on the order in which they came.
func target(granted models.Credits, paid models.Cents, m money) (refunded, disputed models.Credits) {
	if paid <= 0 {
		return 0, 0
	}
	share := func(back int64) models.Credits {
		product := new(big.Int).Mul(big.NewInt(int64(granted)), big.NewInt(min(max(back, 0), int64(paid)))) // may be beyond an int64
		return models.Credits(product.Quo(product, big.NewInt(int64(paid))).Int64())
	}
	refunded = share(m.refunded())
	return refunded, share(m.back(paid)) - refunded
}

// back is how much of a payment went back in all, in cents: by refunds, then by disputes, and no cent twice.
func (m money) back(paid models.Cents) int64 {
	disputed := m.Disputed
	if m.Unclear > 0 { // the bank has the money: no credit of it is spent until a person says how much
		disputed = int64(paid)
	}
	return min(max(m.refunded(), 0), int64(paid)) + min(max(disputed, 0), int64(paid))
}

// refunded is how much was refunded, in cents.
func (m money) refunded() int64 { return max(m.RefundsGood, m.ChargeCumulated-m.RefundsBad) }

// Settle brings the ledger to what Stripe has said of a purchase so far: the grant once it is paid, and the share that
// refunds and disputes took back. Whatever has been booked already is not booked again. It writes the purchase as p says,
// whenever credits move; the first time they always do.
//
// Locks: the purchase must be locked by the caller's transaction; locks the user.
// Idempotent: it books the difference between what is due and what the purchase row says was booked.
// Errors: none that a user can understand.
func Settle(tx models.Tx, p *models.Purchase, eventID string) ([]models.CreditTransaction, error) {
	if p.Status != models.PurchasePaid && p.Status != models.PurchaseReview && p.Status != models.PurchaseReturned {
		return nil, nil
	}
	facts, err := moneyBack(tx.DB, *p)
	if err != nil {
		return nil, err
	}
	if p.Status != models.PurchasePaid {
		return nil, settleUnbooked(tx, p, facts)
	}
	due, moves := settlement(*p, facts)
	var rows []models.CreditTransaction
	for _, move := range moves {
		move.StripeEventID, eventID = eventID, "" // one line for each event; a second one is found by its purchase
		posted, err := ledger.Post(tx, move)
		if err != nil {
			return nil, err
		}
		rows = append(rows, posted.CreditTransaction)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	*p = due
	return rows, save(tx, p)
}

// settleUnbooked closes a purchase that waits for a person once all of its money went back: there is nothing to decide
// any more. Should the money come back, as by a refund that fails, the purchase waits again.
func settleUnbooked(tx models.Tx, p *models.Purchase, facts money) error {
	status := models.PurchaseReview
	if p.PaidCents > 0 && facts.back(p.PaidCents) >= int64(p.PaidCents) {
		status = models.PurchaseReturned
	}
	if status == p.Status {
		return nil
	}
	p.Status = status
	return save(tx, p)
}

// settlement is what a paid purchase comes to by what is known of its money, and the movements of credits that bring the
// ledger there.
func settlement(p models.Purchase, facts money) (due models.Purchase, moves []ledger.Entry) {
	due = p
	if p.CreditsGranted == 0 {
		due.CreditsGranted = p.Credits
	}
	due.CreditsRefunded, due.CreditsDisputed = target(due.CreditsGranted, due.PaidCents, facts)
	for _, move := range []ledger.Entry{
		{Delta: due.CreditsGranted - p.CreditsGranted, Reason: models.ReasonPurchase},
		{Delta: p.CreditsRefunded - due.CreditsRefunded, Reason: models.ReasonRefund},
		{Delta: p.CreditsDisputed - due.CreditsDisputed, Reason: models.ReasonDispute},
	} {
		if move.Delta != 0 {
			move.UserID = p.UserID
			move.Meta = models.Meta{PurchaseID: p.ID.String(), Session: p.CheckoutSessionID, PaymentIntent: p.PaymentIntentID}
			moves = append(moves, move)
		}
	}
	return due, moves
}

// moneyBack adds up the stored refunds and disputes of a purchase's payment.
func moneyBack(db *gorm.DB, p models.Purchase) (money, error) {
	var m money
	if p.PaymentIntentID == "" { // nothing was paid, so nothing can go back
		return m, nil
	}
	takes := fmt.Sprintf(models.DisputeTakes, "@currency")
	const counted = `currency IN ('', coalesce(nullif(@currency, ''), currency))` // of another currency nobody knows what it comes to
	err := db.Raw(`SELECT
		(SELECT coalesce(sum(amount), 0) FROM stripe_refunds WHERE payment_ref = @payment AND status NOT IN ('failed', 'canceled') AND `+counted+`) AS refunds_good,
		(SELECT coalesce(sum(amount), 0) FROM stripe_refunds WHERE payment_ref = @payment AND status IN ('failed', 'canceled') AND `+counted+`) AS refunds_bad,
		(SELECT coalesce(sum(amount_refunded), 0) FROM stripe_charges WHERE payment_ref = @payment AND `+counted+`) AS charge_cumulated,
		coalesce(sum(`+takes+`), 0) AS disputed, count(*) FILTER (WHERE `+takes+` IS NULL) AS unclear
		FROM stripe_disputes d WHERE d.payment_ref = @payment AND d.status IN ('needs_response', 'under_review', 'lost')`,
		map[string]any{"payment": p.PaymentIntentID, "currency": p.PaymentCurrency()}).Take(&m).Error
	if err != nil {
		return money{}, fmt.Errorf("refunds and disputes of purchase %s: %w", p.ID, err)
	}
	return m, nil
}
