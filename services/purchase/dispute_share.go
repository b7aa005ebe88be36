package purchase

import (
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// unclearDispute opens a review for a dispute that has taken an unknown part of its payment.
//
// Errors: ReviewError.
func unclearDispute(tx models.Tx, paymentRef, disputeID string) error {
	var unknown bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM stripe_disputes d JOIN purchases p ON p.payment_intent_id = d.payment_ref
		WHERE d.payment_ref = ? AND d.dispute_id = ? AND d.`+models.DisputeTookSQL+`
			AND `+fmt.Sprintf(models.DisputeTakes, "coalesce(nullif(p.paid_currency, ''), p.currency)")+` IS NULL)`,
		paymentRef, disputeID).Scan(&unknown).Error
	if err != nil {
		return fmt.Errorf("amount that dispute %s takes: %w", disputeID, err)
	}
	if unknown {
		return ReviewError(models.CauseDisputeCurrency)
	}
	return nil
}

// HasDisputeShare reports whether a person has decided how much of its payment a dispute takes.
func HasDisputeShare(tx models.Tx, disputeID string) (bool, error) {
	var shared bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM stripe_disputes WHERE dispute_id = ? AND share IS NOT NULL)`, disputeID).
		Scan(&shared).Error
	if err != nil {
		return false, fmt.Errorf("share of dispute %s: %w", disputeID, err)
	}
	return shared, nil
}

// SetDisputeShare stores a person's decision how much of its payment a dispute takes, and settles the purchase.
// revision is that of the dispute on the page of the decision.
//
// Units: cents of the payment's currency. Locks: the user; the caller has called LockForDecision.
// Idempotent: changed is false where the share is the stored one.
// Errors: ErrNotOurs for a dispute of another payment; fault.Conflict when the dispute or its share has changed since.
func SetDisputeShare(tx models.Tx, p *models.Purchase, disputeID string, share models.Cents, revision int,
) (rows []models.CreditTransaction, changed bool, err error) {
	if !models.Storable(disputeID) {
		return nil, false, ErrNotOurs
	}
	var known models.StripeDispute
	err = tx.Where("dispute_id = ? AND payment_ref = ?", disputeID, p.PaymentIntentID).Take(&known).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, false, ErrNotOurs
	case err != nil:
		return nil, false, fmt.Errorf("dispute %s of a decision: %w", disputeID, err)
	case known.Share != nil && *known.Share == share:
		return nil, false, nil
	}
	stored := tx.Exec(
		`UPDATE stripe_disputes SET share = ?, revision = revision + 1, updated_at = now() WHERE dispute_id = ? AND revision = ?`,
		share, disputeID, revision)
	switch {
	case stored.Error != nil:
		return nil, false, fmt.Errorf("share of dispute %s: %w", disputeID, stored.Error)
	case stored.RowsAffected == 0:
		return nil, false, errDecided
	}
	rows, err = Settle(tx, p, "")
	return rows, true, err
}

// CloseDisputeShare closes a dispute that needs a share without one: a form that was rendered before is refused.
//
// Locks: the dispute. Errors: fault.Conflict when the share has been decided.
func CloseDisputeShare(tx models.Tx, disputeID string) error {
	closed := tx.Exec(`UPDATE stripe_disputes SET revision = revision + 1 WHERE dispute_id = ? AND share IS NULL`,
		disputeID)
	if closed.Error != nil {
		return fmt.Errorf("close dispute %s: %w", disputeID, closed.Error)
	}
	if closed.RowsAffected > 0 {
		return nil
	}
	shared, err := HasDisputeShare(tx, disputeID)
	if err == nil && shared {
		err = errDecided
	}
	return err
}
