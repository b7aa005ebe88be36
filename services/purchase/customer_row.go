package purchase

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// recordCustomer stores a user's Stripe customer, and whether we created it; nil when unknown. A stored customer keeps
// its user, and what is known of its origin.
func (s *Service) recordCustomer(db *gorm.DB, customer string, userID int64, createdByUs *bool) error {
	err := db.Exec(`INSERT INTO stripe_customers AS known (customer_id, user_id, livemode, created_by_us) VALUES (?, ?, ?, ?)
		ON CONFLICT (customer_id) DO UPDATE SET created_by_us = coalesce(known.created_by_us, EXCLUDED.created_by_us)`,
		customer, userID, s.Livemode, createdByUs).Error
	if err != nil {
		return fmt.Errorf("record customer %s: %w", customer, err)
	}
	return nil
}

// clearCustomer forgets what Stripe knows of a stored customer; gone says that Stripe no longer has the customer. known
// is false if it is not stored.
func clearCustomer(db *gorm.DB, customer string, gone bool) (known bool, err error) {
	done := db.Exec(`UPDATE stripe_customers SET email = '', name = '',
		deleted_at = CASE WHEN ? THEN coalesce(deleted_at, now()) ELSE deleted_at END WHERE customer_id = ?`, gone, customer)
	if done.Error != nil {
		return false, fmt.Errorf("clear customer %s: %w", customer, done.Error)
	}
	return done.RowsAffected > 0, nil
}

// unlinkCustomer takes a customer from the user who buys with it. unlinked is false if no user does.
func unlinkCustomer(tx models.Tx, customer string) (unlinked bool, err error) {
	done := tx.Exec(`UPDATE users SET stripe_customer_id = NULL, updated_at = now() WHERE stripe_customer_id = ?`, customer)
	if done.Error != nil {
		return false, fmt.Errorf("unlink customer %s: %w", customer, done.Error)
	}
	return done.RowsAffected > 0, nil
}

// customerOwner returns the user of a stored customer, 0 if it is not stored.
func customerOwner(tx models.Tx, customer string) (int64, error) {
	var owner int64
	err := tx.Raw(`SELECT user_id FROM stripe_customers WHERE customer_id = ?`, customer).Scan(&owner).Error
	if err != nil {
		return 0, fmt.Errorf("user of customer %s: %w", customer, err)
	}
	return owner, nil
}

// removeCustomer removes our row of a customer.
func removeCustomer(db *gorm.DB, customer string) error {
	if err := db.Exec(`DELETE FROM stripe_customers WHERE customer_id = ?`, customer).Error; err != nil {
		return fmt.Errorf("remove customer %s: %w", customer, err)
	}
	return nil
}

// closedCustomer is a Stripe customer of a deleted account.
type closedCustomer struct {
	CustomerID  string
	UserID      int64
	CreatedByUs *bool
}

// closedCustomers returns up to closeBatch customers of deleted accounts that have no payment under way.
func closedCustomers(db *gorm.DB) (customers []closedCustomer, err error) {
	err = db.Raw(`SELECT c.customer_id, c.user_id, c.created_by_us FROM stripe_customers c JOIN users u ON u.id = c.user_id
		WHERE u.deleted_at IS NOT NULL AND c.deleted_at IS NULL
		AND NOT EXISTS (SELECT FROM purchases p WHERE p.user_id = u.id AND p.status IN ('pending', 'awaiting_payment') AND p.checkout_session_id IS NOT NULL)
		LIMIT ?`, closeBatch).Scan(&customers).Error
	if err != nil {
		return nil, fmt.Errorf("customers of deleted accounts: %w", err)
	}
	return customers, nil
}
