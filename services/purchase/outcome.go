package purchase

import (
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// RecordFailure writes that a session's delayed payment did not arrive. Nothing was booked for it, so nothing is taken.
//
// Locks: the payment, then the purchase. Errors: ErrNotOurs; ReviewError when the purchase is paid: both cannot be true.
func RecordFailure(tx *gorm.DB, c Checkout) (*models.Purchase, error) {
	p, err := lockBySession(tx, c)
	if err != nil {
		return nil, err
	}
	if p.Status == models.PurchasePaid {
		return nil, ReviewError(models.CauseBookedFailed)
	}
	p.Status = models.PurchaseFailed
	return p, save(tx, p)
}

// RecordExpiry writes that nobody paid while the session was open. A purchase that has come further stays where it is.
//
// Locks: the payment, then the purchase. Errors: ErrNotOurs.
func RecordExpiry(tx *gorm.DB, c Checkout) (*models.Purchase, error) {
	p, err := lockBySession(tx, c)
	if err != nil || p.Status != models.PurchasePending {
		return p, err
	}
	p.Status = models.PurchaseExpired
	return p, save(tx, p)
}

// recordDispute keeps a dispute. Its status only rises, so that events may come in any order.
//
// Errors: ReviewError for a status that we do not know.
func recordDispute(tx *gorm.DB, d Dispute) error {
	if !slices.Contains(models.DisputeStatuses(), d.Status) {
		return ReviewError(models.CauseDisputeStatus.Of(d.Status))
	}
	err := tx.Exec(`INSERT INTO stripe_disputes AS old (dispute_id, charge_id, payment_ref, amount, currency, status) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (dispute_id) DO UPDATE SET status = excluded.status, amount = excluded.amount, updated_at = now()
		WHERE array_position(ARRAY['warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response', 'under_review', 'lost', 'won'], excluded.status) > array_position(ARRAY['warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response', 'under_review', 'lost', 'won'], old.status)`,
		d.ID, d.ChargeID, d.PaymentRef, d.Amount, d.Currency, d.Status).Error
	if err != nil {
		return fmt.Errorf("record dispute %s: %w", d.ID, err)
	}
	return nil
}

// ForgetCustomer writes that a customer was deleted at Stripe. The balance stays; the next purchase makes a new customer.
// Errors: ErrNotOurs.
func ForgetCustomer(tx *gorm.DB, customerID string) error {
	known := tx.Exec(`UPDATE stripe_customers SET deleted_at = coalesce(deleted_at, now()), email = '', name = '' WHERE customer_id = ?`, customerID)
	if known.Error != nil {
		return fmt.Errorf("forget customer %s: %w", customerID, known.Error)
	}
	if known.RowsAffected == 0 {
		return ErrNotOurs
	}
	err := tx.Exec(`UPDATE users SET stripe_customer_id = NULL, updated_at = now() WHERE stripe_customer_id = ?`, customerID).Error
	if err != nil {
		return fmt.Errorf("forget customer %s: %w", customerID, err)
	}
	var owner int64
	if err := tx.Raw(`SELECT user_id FROM stripe_customers WHERE customer_id = ?`, customerID).Scan(&owner).Error; err != nil {
		return fmt.Errorf("owner of customer %s: %w", customerID, err)
	}
	return eraseAgain(tx, owner)
}
