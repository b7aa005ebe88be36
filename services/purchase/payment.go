package purchase

import (
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// lockPaymentSQL locks the payment @payment until the transaction ends.
const lockPaymentSQL = `pg_advisory_xact_lock(hashtextextended('payment:' || @payment, 0))`

// lockPayment serializes the reports about one payment. Without it, a refund and its purchase that are reported at the
// same moment would not see each other.
//
// Locks: the payment, before the purchase.
func lockPayment(tx models.Tx, paymentRef string) error {
	if paymentRef == "" {
		return nil
	}
	if err := postgres.Pipeline(tx.DB, lockPaymentStatement(paymentRef)); err != nil {
		return fmt.Errorf("lock payment %s: %w", paymentRef, err)
	}
	return nil
}

// lockPaymentStatement is what lockPayment runs, for a pipeline.
func lockPaymentStatement(paymentRef string) postgres.Statement {
	return postgres.Statement{SQL: `SELECT ` + lockPaymentSQL, Args: []any{map[string]any{"payment": paymentRef}}}
}

// recordCharge stores how much of a charge has been refunded. The figure only grows: a smaller one comes from an older
// event.
//
// Errors: ReviewError for figures that cannot be true.
func recordCharge(tx models.Tx, c Charge) error {
	if c.Amount <= 0 || c.AmountRefunded < 0 {
		return errImpossible
	}
	err := tx.Exec(
		`INSERT INTO stripe_charges AS old (charge_id, payment_ref, amount, amount_refunded, currency) VALUES (?, ?, ?, ?, ?)
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
	case known.PaymentRef == c.PaymentRef && currenciesDiffer(known.Currency, c.Currency):
		return replaceCurrency(tx, "stripe_charges", "charge_id", c.ID, c.PaymentRef,
			func() error { return recordCharge(tx, c) })
	case known.PaymentRef != c.PaymentRef || known.Currency != c.Currency:
		return errContradicts
	}
	return nil
}

// recordRefund stores a refund. Its status only advances, so that events may come in any order: pending,
// requires_action, succeeded, failed, canceled.
//
// Errors: ReviewError for an unknown status and for figures that cannot be true.
func recordRefund(tx models.Tx, r Refund) error {
	if r.Status == "" { // refunds of some payment methods begin without a status
		r.Status = "pending"
	}
	if !slices.Contains(models.RefundStatuses(), r.Status) {
		return ReviewError(models.CauseRefundStatus.Of(r.Status))
	}
	if r.Amount <= 0 {
		return errImpossible
	}
	r.Amount = min(r.Amount, maxCents)
	err := tx.Exec(
		`INSERT INTO stripe_refunds AS old (refund_id, charge_id, payment_ref, amount, currency, status, failure_reason)
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
	case known.PaymentRef == r.PaymentRef && currenciesDiffer(known.Currency, r.Currency):
		return replaceCurrency(tx, "stripe_refunds", "refund_id", r.ID, r.PaymentRef,
			func() error { return recordRefund(tx, r) })
	case known.PaymentRef != r.PaymentRef || known.Amount != r.Amount || known.Currency != r.Currency:
		return errContradicts
	}
	return nil
}

// lockByPayment returns the purchase of a payment, locked.
//
// Locks: the payment, then the purchase. Errors: ErrNotOurs while there is none.
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
