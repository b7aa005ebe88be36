package purchase

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
)

// recordCheckout applies a Checkout Session to its purchase and returns the purchase locked, ready for Settle, which
// saves a paid one together with its credits. A paid purchase stays paid, whatever is reported later.
//
// Locks: the payment, then the purchase. Errors: ErrNotOurs; ReviewError.
func recordCheckout(tx models.Tx, c Checkout, now time.Time) (*models.Purchase, error) {
	p, err := lockBySession(tx, c)
	if err != nil {
		return nil, err
	}
	switch {
	case c.paysTwice(p):
		return nil, ReviewError(models.CausePaidTwice)
	case p.Status == models.PurchaseReview && p.Cause != models.CauseAmount: // a person decides
		return p, ReviewError(p.Cause)
	case p.Status == models.PurchasePaid && c.paid() && !c.samePayment(p):
		return nil, errContradicts
	case p.Status == models.PurchasePaid || p.Status == models.PurchaseReturned || p.Status == models.PurchaseForeign:
		return p, nil
	}
	contradiction := applySession(p, c, now)
	if p.Status != models.PurchasePaid {
		if err := errors.Join(save(tx, p), tellUnpaid(tx, *p)); err != nil {
			return nil, err
		}
	}
	return p, contradiction
}

// paid reports whether the money has arrived, or none was due.
func (c Checkout) paid() bool {
	return c.PaymentStatus == "paid" || c.PaymentStatus == "no_payment_required"
}

// paysTwice reports whether a session pays for a purchase that another session has paid for: the session that it was
// recovered from, or its own copy.
func (c Checkout) paysTwice(p *models.Purchase) bool {
	return c.paid() && p.PaidAt != nil && p.CheckoutSessionID != c.ID
}

// applySession updates an unpaid purchase from its Checkout Session.
//
// Errors: ReviewError. Where the amounts differ, the payment is stored all the same, so that a person can book or
// refund it.
func applySession(p *models.Purchase, c Checkout, now time.Time) error {
	switch {
	case c.paid():
	case c.PaymentStatus == "unpaid":
		recovered := p.Status == models.PurchaseExpired && c.RecoveredFrom == p.CheckoutSessionID
		switch open := p.Status == models.PurchasePending || p.Status == models.PurchaseAwaitingPayment || recovered; {
		case open && c.Failed:
			p.Status = models.PurchaseFailed
		case open:
			p.Status = models.PurchaseAwaitingPayment
			switchToCopy(p, c)
		}
		return nil
	default:
		return ReviewError(models.CausePaymentStatus.Of(c.PaymentStatus))
	}
	switchToCopy(p, c)
	p.PaymentIntentID, p.PaidCents, p.PaidCurrency, p.PaidAt = c.PaymentIntent, models.Cents(c.Paid), c.PaidCurrency, &now
	if cause := c.differs(p); cause != "" {
		p.Status, p.Cause = models.PurchaseReview, cause
		return ReviewError(cause)
	}
	if credits, ok := catalog.ParseCredits(c.Credits); ok {
		p.Credits = credits // the metadata has our number unless the seller edited it at Stripe, and then theirs counts
	}
	p.Status = models.PurchasePaid
	return nil
}

// switchToCopy makes c the purchase's session when c is Stripe's copy of the one that expired.
func switchToCopy(p *models.Purchase, c Checkout) {
	if p.CheckoutSessionID != c.ID {
		p.CheckoutSessionID, p.RecoveredFrom = c.ID, p.CheckoutSessionID
	}
}

// bySession selects the purchase of a session: by the session, by the one that it was recovered from, or, where the
// process died before it stored Stripe's answer, by the purchase id in the metadata. client_reference_id proves
// nothing: anyone who opens a payment link can write it into the address.
const bySession = `(p.checkout_session_id IN (@session, nullif(@recovered, '')) OR p.recovered_from = @session
	OR (p.id = @id AND p.checkout_session_id IS NULL)) ORDER BY p.checkout_session_id = @session DESC NULLS LAST LIMIT 1`

// lockBySession returns the purchase of a session, locked.
//
// Locks: the payment, then the purchase; neither when there is none. Errors: those of findBySession.
func lockBySession(tx models.Tx, c Checkout) (*models.Purchase, error) {
	// This statement reads only the row itself in its newest state, and the other tables as they were before it had the
	// locks. Whatever else is decided on must be read by a later statement.
	return scanBySession(tx.DB, c, `WITH payment AS MATERIALIZED (SELECT `+lockPaymentSQL+` WHERE @payment <> '')
		SELECT p.* FROM purchases p LEFT JOIN payment ON true WHERE `+bySession+` FOR UPDATE OF p`)
}

// findBySession returns the purchase of a session.
//
// Errors: ErrNotOurs when there is none; ReviewError when the metadata names a purchase or an installation of ours.
func findBySession(db *gorm.DB, c Checkout) (*models.Purchase, error) {
	return scanBySession(db, c, `SELECT p.* FROM purchases p WHERE `+bySession)
}

func scanBySession(db *gorm.DB, c Checkout, statement string) (*models.Purchase, error) {
	var p models.Purchase
	id, _ := uuid.Parse(c.PurchaseID) // when it does not parse, the zero id, which no purchase has
	names := map[string]any{"payment": c.PaymentIntent, "session": c.ID, "recovered": c.RecoveredFrom, "id": id}
	err := db.Raw(statement, names).Take(&p).Error
	if err == nil {
		if p.CheckoutSessionID == "" {
			p.CheckoutSessionID = c.ID
		}
		return &p, nil
	}
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("read the purchase of session %s: %w", c.ID, err)
	}
	var known struct{ Other, Tagged bool }
	err = db.Raw(
		`SELECT EXISTS (SELECT FROM purchases WHERE id = ?) AS other, EXISTS (SELECT FROM installations WHERE id::text = ?) AS tagged`,
		id, c.Tag).Scan(&known).Error
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for the purchase of session %s: %w", c.ID, err)
	case known.Other:
		return nil, ReviewError(models.CauseSessionOther)
	case known.Tagged:
		return nil, ReviewError(models.CauseSessionUnknown)
	}
	return nil, ErrNotOurs
}

// RecordFailure marks the purchase of a session whose delayed payment failed. It moves no credits, because
// none were granted.
//
// Locks: the payment, then the purchase. Errors: ErrNotOurs; ReviewError when the session has been paid.
func RecordFailure(tx models.Tx, c Checkout) (*models.Purchase, error) {
	p, err := lockBySession(tx, c)
	if err != nil {
		return nil, err
	}
	switch {
	case p.PaidAt != nil && p.CheckoutSessionID == c.ID && p.Status != models.PurchaseForeign:
		return nil, ReviewError(models.CauseBookedFailed)
	case p.PaidAt != nil: // by another session
		return p, nil
	}
	p.Status = models.PurchaseFailed
	return p, errors.Join(save(tx, p), tellUnpaid(tx, *p))
}

// RecordExpiry marks a pending purchase as expired. Any other purchase stays as it is.
//
// Locks: the payment, then the purchase. Errors: ErrNotOurs.
func RecordExpiry(tx models.Tx, c Checkout) (*models.Purchase, error) {
	p, err := lockBySession(tx, c)
	if err != nil || p.Status != models.PurchasePending {
		return p, err
	}
	p.Status = models.PurchaseExpired
	return p, save(tx, p)
}

// save stores the fields of a locked purchase that reports and settling change.
func save(tx models.Tx, p *models.Purchase) error {
	if err := postgres.Pipeline(tx.DB, saveStatement(p)); err != nil {
		return fmt.Errorf("save purchase %s: %w", p.ID, err)
	}
	return nil
}

// saveStatement is what save runs, for a pipeline.
func saveStatement(p *models.Purchase) postgres.Statement {
	return postgres.Statement{SQL: `UPDATE purchases SET status = ?, checkout_session_id = NULLIF(?, ''), payment_intent_id = NULLIF(?, ''),
		paid_cents = ?, paid_currency = ?, paid_at = ?, credits = ?, credits_granted = ?, credits_refunded = ?, credits_disputed = ?,
		cause = ?, recovered_from = NULLIF(?, ''), updated_at = now() WHERE id = ?`,
		Args: []any{p.Status, p.CheckoutSessionID, p.PaymentIntentID, p.PaidCents, p.PaidCurrency, p.PaidAt, p.Credits,
			p.CreditsGranted, p.CreditsRefunded, p.CreditsDisputed, p.Cause, p.RecoveredFrom, p.ID}}
}
