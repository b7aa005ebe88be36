package purchase

import (
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// RecordFailure writes that a session's delayed payment did not arrive. Nothing was booked for it, so nothing is taken.
//
// Locks: the payment, then the purchase. Errors: ErrNotOurs; ReviewError when the session has paid: both cannot be true.
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
	return p, save(tx, p)
}

// RecordExpiry writes that nobody paid while the session was open. A purchase that has come further stays where it is.
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

// ForgetCustomer writes that a customer was deleted at Stripe. The balance stays; the next purchase makes a new customer.
// Errors: ErrNotOurs.
func ForgetCustomer(tx models.Tx, customerID string) error {
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
