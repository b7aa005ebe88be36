package ledger

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Account returns the id of the user to whom an address belongs, and makes one where there is none.
//
// The address must be as address.Parse returns it. Locks: the address.
func Account(tx models.Tx, email string) (int64, error) {
	if err := LockAddress(tx, email); err != nil {
		return 0, err
	}
	id, err := Holder(tx.DB, email)
	if err != nil || id != 0 {
		return id, err
	}
	if err := tx.Raw(`INSERT INTO users (email) VALUES (?) RETURNING id`, email).Scan(&id).Error; err != nil {
		return 0, fmt.Errorf("account of an address: %w", err)
	}
	return id, nil
}

// Holder returns the id of the user who holds an address by right, 0 where nobody does: whose address it is, or, where
// it is no account's, the one user of whom a provider has verified it. It is the only look-up by address.
//
// The address must be as address.Parse returns it.
func Holder(db *gorm.DB, email string) (int64, error) {
	var id int64
	err := db.Raw(`SELECT coalesce((SELECT id FROM users WHERE email = @email),
		(SELECT min(user_id) FROM identities WHERE email = @email AND email_verified AND email <> '' HAVING count(DISTINCT user_id) = 1), 0)`,
		map[string]any{"email": email}).Scan(&id).Error
	if err != nil {
		return 0, fmt.Errorf("holder of an address: %w", err)
	}
	return id, nil
}

// LockAddress has all who give an account this address, or make one for it, wait for each other.
// Locks: the address, before any user, until the transaction ends.
func LockAddress(tx models.Tx, email string) error {
	if err := tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended('email\n' || ?, 0))", email).Error; err != nil {
		return fmt.Errorf("lock an address: %w", err)
	}
	return nil
}
