package purchase

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
)

// What the rest of the package decides on, as Stripe said it. Amounts in cents of the currency named beside them.
type (
	// Checkout is a Checkout Session.
	Checkout struct {
		ID            string
		Tag           string // of the installation that made it, in its metadata; empty for others, and from before there was one
		PurchaseID    string // metadata.purchase_id
		Credits       string // metadata.credits, as text
		Customer      string // empty for guests
		Email         string // typed at Checkout; nobody has verified it
		PaymentStatus string // paid, unpaid or no_payment_required
		PaymentIntent string
		Expired       bool   // nobody paid while it was open
		Failed        bool   // unpaid, and the bank has said no; only known where Stripe was asked for the payment
		Currency      string // of Subtotal, in which we priced the order
		Subtotal      int64  // before discounts, taxes included
		Paid          int64  // what the payment took, in the payment's own currency
		PaidCurrency  string // of Paid: the buyer's, where Stripe converted our price for them
		Unclear       bool   // paid, and what it says of its payment cannot be; see checked
		RecoveredFrom string // the expired session of which this one is Stripe's copy; a buyer cannot write it
	}
	// Charge is a payment with the sum of its refunds so far.
	Charge struct {
		ID             string
		PaymentRef     string // payment intent; the charge itself where there is none
		Currency       string
		Amount         int64
		AmountRefunded int64 // cumulative
	}
	// Refund is one refund.
	Refund struct {
		ID            string
		ChargeID      string
		PaymentRef    string // empty when Stripe names the charge alone
		Currency      string
		Status        string
		FailureReason string
		Amount        int64
		Listed        bool // read from the list of the payment's refunds, which settles what they come to
	}
	// Dispute is money that a card holder's bank wants back, or only asks about.
	Dispute struct {
		ID                string
		ChargeID          string
		PaymentRef        string // empty when Stripe names the charge alone
		Currency          string // of Amount: the payment's, as a rule
		Status            string
		Amount            int64
		Withdrawn         int64 // what the bank took, less what it gave back; 0 before it took anything
		WithdrawnCurrency string
		ReportedAt        int64 // when the event was made that says so, in seconds since 1970; 0 where Stripe was asked
	}
)

// ErrNotOurs says that no purchase of ours belongs to what Stripe reported.
var ErrNotOurs = errors.New("no purchase of ours")

// ReviewError says that what Stripe reported contradicts our own row, so that a person must decide.
type ReviewError string

// Error is the contradiction, without names or amounts.
func (e ReviewError) Error() string { return string(e) }

// Unwrap returns the cause.
func (e ReviewError) Unwrap() error { return models.Cause(e) }

// lockPaymentSQL locks the payment @payment until the transaction ends.
const lockPaymentSQL = `pg_advisory_xact_lock(hashtextextended('payment:' || @payment, 0))`

// lockPayment makes all that is reported of one payment wait for each other. Without it a refund and its purchase,
// reported at the same moment, would each not see the other.
// Locks: the payment, until the transaction ends; taken before the purchase.
func lockPayment(tx models.Tx, paymentRef string) error {
	if paymentRef == "" {
		return nil
	}
	if err := tx.Exec(`SELECT `+lockPaymentSQL, map[string]any{"payment": paymentRef}).Error; err != nil {
		return fmt.Errorf("lock payment %s: %w", paymentRef, err)
	}
	return nil
}

// recordCheckout writes what a Checkout Session says onto its purchase and returns it locked, ready to be settled: that
// it is paid is written there, with the credits. A purchase that is paid stays paid, whatever comes later.
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
	case p.Status == models.PurchaseReview && p.Cause != models.CauseAmount: // only a person can tell
		return p, ReviewError(p.Cause)
	case p.Status == models.PurchasePaid && c.paid() && !c.samePayment(p):
		return nil, errContradicts
	case p.Status == models.PurchasePaid || p.Status == models.PurchaseReturned || p.Status == models.PurchaseForeign:
		return p, nil
	}
	contradiction := hear(p, c, now)
	if p.Status != models.PurchasePaid { // one that is paid is written with its credits
		if err := save(tx, p); err != nil {
			return nil, err
		}
	}
	return p, contradiction
}

// paid reports whether the money is here, or none was asked for.
func (c Checkout) paid() bool {
	return c.PaymentStatus == "paid" || c.PaymentStatus == "no_payment_required"
}

// paysTwice reports whether a session pays for a purchase that another session has paid for: the expired one that it was
// recovered from, or its copy.
func (c Checkout) paysTwice(p *models.Purchase) bool {
	return c.paid() && p.PaidAt != nil && p.CheckoutSessionID != c.ID
}

// hear changes a purchase that is not paid to what its session says.
//
// Errors: ReviewError; where the amounts differ, the payment is kept, so that a person can book it or give it back.
func hear(p *models.Purchase, c Checkout, now time.Time) error {
	switch {
	case c.paid():
	case c.PaymentStatus == "unpaid":
		recovered := p.Status == models.PurchaseExpired && c.RecoveredFrom == p.CheckoutSessionID
		switch open := p.Status == models.PurchasePending || p.Status == models.PurchaseAwaitingPayment || recovered; {
		case open && c.Failed:
			p.Status = models.PurchaseFailed
		case open:
			p.Status = models.PurchaseAwaitingPayment
			follow(p, c)
		}
		return nil
	default:
		return ReviewError(models.CausePaymentStatus.Of(c.PaymentStatus))
	}
	follow(p, c)
	p.PaymentIntentID, p.PaidCents, p.PaidCurrency, p.PaidAt = c.PaymentIntent, models.Cents(c.Paid), c.PaidCurrency, &now
	if cause := c.differs(p); cause != "" {
		p.Status, p.Cause = models.PurchaseReview, cause
		return ReviewError(cause)
	}
	if credits, ok := catalog.ParseCredits(c.Credits); ok {
		p.Credits = credits // Stripe's metadata is the customer's word for it; ours is the same unless edited there
	}
	p.Status = models.PurchasePaid
	return nil
}

// follow makes the session the purchase's own, where it is Stripe's copy of the one that expired.
func follow(p *models.Purchase, c Checkout) {
	if p.CheckoutSessionID != c.ID {
		p.CheckoutSessionID, p.RecoveredFrom = c.ID, p.CheckoutSessionID
	}
}

// bySession selects the purchase of a session: by the session, by the one that it was recovered from, or, where the process
// died before it stored Stripe's answer, by the purchase id in the metadata. client_reference_id proves nothing: anyone who
// opens a payment link can write it into the address.
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
	err := db.Raw(statement, map[string]any{"payment": c.PaymentIntent, "session": c.ID, "recovered": c.RecoveredFrom, "id": id}).Take(&p).Error
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
	err = db.Raw(`SELECT EXISTS (SELECT FROM purchases WHERE id = ?) AS other, EXISTS (SELECT FROM installations WHERE id::text = ?) AS tagged`,
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

// save writes what Stripe has said of a locked purchase, and what the ledger got of it.
func save(tx models.Tx, p *models.Purchase) error {
	err := tx.Exec(`UPDATE purchases SET status = ?, checkout_session_id = NULLIF(?, ''), payment_intent_id = NULLIF(?, ''),
		paid_cents = ?, paid_currency = ?, paid_at = ?, credits = ?, credits_granted = ?, credits_refunded = ?, credits_disputed = ?,
		cause = ?, recovered_from = NULLIF(?, ''), updated_at = now() WHERE id = ?`,
		p.Status, p.CheckoutSessionID, p.PaymentIntentID, p.PaidCents, p.PaidCurrency, p.PaidAt, p.Credits, p.CreditsGranted,
		p.CreditsRefunded, p.CreditsDisputed, p.Cause, p.RecoveredFrom, p.ID).Error
	if err != nil {
		return fmt.Errorf("save purchase %s: %w", p.ID, err)
	}
	return nil
}

// recordCharge keeps how much of a charge has been refunded. The figure only grows: an older event says nothing new.
// Errors: ReviewError for what cannot be.
func recordCharge(tx models.Tx, c Charge) error {
	if c.Amount <= 0 || c.AmountRefunded < 0 {
		return errImpossible
	}
	err := tx.Exec(`INSERT INTO stripe_charges AS old (charge_id, payment_ref, amount, amount_refunded, currency) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (charge_id) DO UPDATE SET amount_refunded = greatest(old.amount_refunded, excluded.amount_refunded), updated_at = now()
		WHERE (old.payment_ref, old.currency) = (excluded.payment_ref, excluded.currency)`,
		c.ID, c.PaymentRef, min(c.Amount, maxCents), min(c.AmountRefunded, maxCents), c.Currency).Error
	if err != nil {
		return fmt.Errorf("record charge %s: %w", c.ID, err)
	}
	var known Charge
	err = tx.Raw(`SELECT payment_ref, currency FROM stripe_charges WHERE charge_id = ?`, c.ID).Scan(&known).Error
	switch {
	case err != nil:
		return fmt.Errorf("read charge %s: %w", c.ID, err)
	case known.PaymentRef != c.PaymentRef || known.Currency != c.Currency:
		return errContradicts
	}
	return nil
}

// recordRefund keeps a refund. Its status only rises, so that events may come in any order:
// pending or requires_action, then succeeded, then failed or canceled.
//
// Errors: ReviewError for a status that we do not know, and for what cannot be.
func recordRefund(tx models.Tx, r Refund) error {
	if r.Status == "" { // some payment methods' refunds begin without one
		r.Status = "pending"
	}
	if !slices.Contains(models.RefundStatuses(), r.Status) {
		return ReviewError(models.CauseRefundStatus.Of(r.Status))
	}
	if r.Amount <= 0 {
		return errImpossible
	}
	r.Amount = min(r.Amount, maxCents)
	err := tx.Exec(`INSERT INTO stripe_refunds AS old (refund_id, charge_id, payment_ref, amount, currency, status, failure_reason)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (refund_id) DO UPDATE SET status = excluded.status, failure_reason = excluded.failure_reason, updated_at = now()
		WHERE array_position(ARRAY['pending', 'requires_action', 'succeeded', 'failed', 'canceled'], excluded.status)
		    > array_position(ARRAY['pending', 'requires_action', 'succeeded', 'failed', 'canceled'], old.status)
			AND (old.payment_ref, old.amount, old.currency) = (excluded.payment_ref, excluded.amount, excluded.currency)`,
		r.ID, r.ChargeID, r.PaymentRef, r.Amount, r.Currency, r.Status, r.FailureReason).Error
	if err != nil {
		return fmt.Errorf("record refund %s: %w", r.ID, err)
	}
	var known Refund
	err = tx.Raw(`SELECT payment_ref, amount, currency FROM stripe_refunds WHERE refund_id = ?`, r.ID).Scan(&known).Error
	switch {
	case err != nil:
		return fmt.Errorf("read refund %s: %w", r.ID, err)
	case known.PaymentRef != r.PaymentRef || known.Amount != r.Amount || known.Currency != r.Currency:
		return errContradicts
	}
	return nil
}

// lockByPayment returns the purchase that a payment paid, locked.
// Locks: the payment, then the purchase. Errors: ErrNotOurs while it is not known (yet).
func lockByPayment(tx models.Tx, paymentRef string) (*models.Purchase, error) {
	if err := lockPayment(tx, paymentRef); err != nil {
		return nil, err
	}
	var p models.Purchase
	err := tx.Raw(`SELECT * FROM purchases WHERE payment_intent_id = ? FOR UPDATE`, paymentRef).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, ErrNotOurs
	}
	if err != nil {
		return nil, fmt.Errorf("lock the purchase of payment %s: %w", paymentRef, err)
	}
	return &p, nil
}
