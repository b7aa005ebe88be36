package purchase

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

// money sums up how much of a payment went back to the card holder, or may. Units: cents of the payment's currency.
type money struct {
	RefundsGood     int64 // refunds that stand: pending, requires_action, succeeded
	RefundsBad      int64 // refunds that failed or were canceled, so that the money stayed
	ChargeCumulated int64 // highest amount_refunded seen on the charge; it may include failed refunds
	Disputed        int64 // disputes that took the money
	Withdrawn       bool  // a withdrawal from the purchase was declared
	Unclear         int64 // number of these disputes without a known amount in the payment's currency; each counts in full
}

// target returns how many of the granted credits the money that went back stands for, split by refunds and disputes.
//
// The share is computed from totals and rounded down once, so that partial refunds do not drift and a full refund
// removes exactly the grant. It depends on the sums alone, not on the order of the events.
func target(granted models.Credits, paid models.Cents, m money) (refunded, disputed models.Credits) {
	if paid <= 0 {
		return 0, 0
	}
	share := func(back int64) models.Credits {
		capped := big.NewInt(min(max(back, 0), int64(paid)))
		product := new(big.Int).Mul(big.NewInt(int64(granted)), capped) // may exceed an int64
		return models.Credits(product.Quo(product, big.NewInt(int64(paid))).Int64())
	}
	refunded = share(m.refunded())
	return refunded, share(m.back(paid)) - refunded
}

// back returns how much of a payment went back, by refunds and by disputes.
func (m money) back(paid models.Cents) int64 {
	disputed := m.Disputed
	if m.Unclear > 0 { // the bank has the money: no credit is spent until a person states the amount
		disputed = int64(paid)
	}
	return min(max(m.refunded(), 0), int64(paid)) + min(max(disputed, 0), int64(paid))
}

// split returns how much of a payment went back by refunds, and how much of the rest by disputes.
func (m money) split(paid models.Cents) (refunded, disputed models.Cents) {
	refunded = models.Cents(min(max(m.refunded(), 0), int64(paid)))
	return refunded, min(models.Cents(m.back(paid)), paid) - refunded
}

// refunded returns how much was refunded.
func (m money) refunded() int64 { return max(m.RefundsGood, m.ChargeCumulated-m.RefundsBad) }

// Settle brings the ledger to what Stripe has reported of a purchase: the grant once it is paid, less the share that
// refunds and disputes took back. The hold until the withdrawal period ends follows. It saves p whenever credits move,
// and they always move the first time. then runs last, unless the purchase was never paid.
//
// Locks: the user, then the holds; the caller has locked the purchase.
// Idempotent: it books the difference between what is due and what the purchase says was booked.
func Settle(tx models.Tx, p *models.Purchase, eventID string, then ...postgres.Statement,
) ([]models.CreditTransaction, error) {
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
	if len(moves) == 0 {
		return nil, postgres.Pipeline(tx.DB, then...)
	}
	held, err := endPeriodHold(tx, *p)
	if err != nil {
		return nil, err
	}
	rows, last, err := postMoves(tx, due, moves, facts, eventID)
	if err != nil {
		return nil, err
	}
	cameBack := due.CreditsRefunded < p.CreditsRefunded
	held += due.CreditsLeft() - p.CreditsLeft()
	*p = due
	last = append(append(last, saveStatement(p)), then...)
	if err := postgres.Pipeline(tx.DB, last...); err != nil {
		return nil, fmt.Errorf("save purchase %s: %w", p.ID, err)
	}
	if err := HoldPeriod(tx, *p, held); err != nil || !facts.Withdrawn {
		return rows, err
	}
	waived, err := settleWithdrawn(tx, *p, cameBack)
	return append(rows, waived...), err
}

// postMoves posts the entries that bring the ledger to a purchase as it is due, and returns the statements that store
// the letters about them.
func postMoves(tx models.Tx, due models.Purchase, moves []ledger.Entry, facts money, eventID string,
) (rows []models.CreditTransaction, letters []postgres.Statement, err error) {
	for _, move := range moves {
		move.StripeEventID, eventID = eventID, "" // the column is unique
		if move.Reason != models.ReasonPurchase {
			if move.StripeEventID, err = reportedBy(tx, due.PaymentIntentID, move.Reason, move.StripeEventID); err != nil {
				return nil, nil, err
			}
		}
		posted, err := ledger.Post(tx, move)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, posted.CreditTransaction)
		letter, err := letterAbout(tx, due, posted.CreditTransaction, facts)
		if err != nil {
			return nil, nil, err
		}
		stored, err := letter.Statement()
		if err != nil {
			return nil, nil, err
		}
		letters = append(letters, stored)
	}
	return rows, letters, nil
}

// reportTypes are the types of events that report why money went back.
var reportTypes = map[models.Reason]string{models.ReasonRefund: `^(charge\.refund|refund\.)`,
	models.ReasonDispute: `^charge\.dispute\.`}

// reportedBy returns the event that an entry for money that went back names: the one that is being booked or, without
// one, the first that waited for this booking; empty when the event of an earlier entry, or none, reported it.
func reportedBy(tx models.Tx, payment string, reason models.Reason, booking string) (eventID string, err error) {
	err = tx.Raw(`SELECT event_id FROM stripe_events e
		WHERE (event_id = @booking OR @booking = '' AND payment_ref = @payment AND payment_ref <> ''
			AND type ~ @types AND status IN ('received', 'deferred', 'failed'))
			AND NOT EXISTS (SELECT FROM credit_transactions c WHERE c.stripe_event_id = e.event_id)
		ORDER BY created_at_stripe, event_id LIMIT 1`,
		map[string]any{"booking": booking, "payment": payment, "types": reportTypes[reason]}).Scan(&eventID).Error
	if err != nil {
		return "", fmt.Errorf("event of a %s of payment %s: %w", reason, payment, err)
	}
	return eventID, nil
}

// settleUnbooked marks a purchase in review as returned once all of its money went back, since nothing is left to
// decide. It reopens the review should the money come back, as when a refund fails.
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

// settlement returns a paid purchase as it should be by these sums, and the entries that bring the ledger there.
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
			move.Meta = metaOf(p)
			moves = append(moves, move)
		}
	}
	return due, moves
}

// metaOf returns the references of an entry to its purchase.
func metaOf(p models.Purchase) models.Meta {
	return models.Meta{PurchaseID: p.ID.String(), Session: p.CheckoutSessionID, PaymentIntent: p.PaymentIntentID}
}

// moneyBack adds up the stored refunds and disputes of a purchase's payment.
func moneyBack(db *gorm.DB, p models.Purchase) (money, error) {
	all, err := moneyBackOf(db, []models.Purchase{p})
	if err != nil {
		return money{}, err
	}
	return all[0], nil
}

// moneyBackOf adds up the stored refunds and disputes of each purchase's payment, in one statement. Amounts in other
// currencies cannot be converted, and do not count.
func moneyBackOf(db *gorm.DB, purchases []models.Purchase) ([]money, error) {
	type row struct {
		N        int       `json:"n"`
		ID       uuid.UUID `json:"id"`
		Payment  string    `json:"payment"`
		Currency string    `json:"currency"`
	}
	var paid []row
	for n, p := range purchases {
		if p.PaymentIntentID != "" || p.Status == models.PurchasePaid { // a free order has only its withdrawal
			paid = append(paid, row{n, p.ID, p.PaymentIntentID, p.PaymentCurrency()})
		}
	}
	all := make([]money, len(purchases))
	if len(paid) == 0 {
		return all, nil
	}
	text, err := json.Marshal(paid)
	if err != nil {
		return nil, err
	}
	takes := fmt.Sprintf(models.DisputeTakes, "p.currency")
	const counted = `payment_ref = p.payment AND currency IN ('', coalesce(nullif(p.currency, ''), currency))`
	var found []struct {
		N   int
		Sum money `gorm:"embedded"`
	}
	err = db.Raw(`SELECT n,
		(SELECT coalesce(sum(amount), 0) FROM stripe_refunds WHERE `+counted+` AND NOT `+models.RefundFailedSQL+`) AS refunds_good,
		(SELECT coalesce(sum(amount), 0) FROM stripe_refunds WHERE `+counted+` AND `+models.RefundFailedSQL+`) AS refunds_bad,
		(SELECT coalesce(sum(amount_refunded), 0) FROM stripe_charges WHERE `+counted+`) AS charge_cumulated,
		EXISTS (SELECT FROM withdrawals WHERE purchase_id = p.id) AS withdrawn, disputes.*
		FROM json_to_recordset(CAST(? AS json)) p (n int, id uuid, payment text, currency text),
			LATERAL (SELECT coalesce(sum(`+takes+`), 0) AS disputed, count(*) FILTER (WHERE `+takes+` IS NULL) AS unclear
				FROM stripe_disputes d WHERE d.payment_ref = p.payment AND `+models.DisputeTookSQL+`) disputes`,
		string(text)).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("refunds and disputes of %d purchases: %w", len(paid), err)
	}
	for _, f := range found {
		all[f.N] = f.Sum
	}
	return all, nil
}
