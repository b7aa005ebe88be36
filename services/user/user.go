// Package user finds and creates users by their e-mail address, and decides which address is theirs. Every address must
// be in the form that address.Parse returns.
package user

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// FindOrCreate returns the user whom an address belongs to, as ByAddress, or creates a user with the address.
// Locks: the address.
func FindOrCreate(tx models.Tx, email string) (int64, error) {
	if err := LockAddress(tx, email); err != nil {
		return 0, err
	}
	id, err := ByAddress(tx.DB, email)
	if err != nil || id != 0 {
		return id, err
	}
	if err := tx.Raw(`INSERT INTO users (email) VALUES (?) RETURNING id`, email).Scan(&id).Error; err != nil {
		return 0, fmt.Errorf("create user: %w", err)
	}
	return id, nil
}

// ByAddress returns the user whom an address belongs to, or 0: the user who has it, else the only user for whom a
// provider has verified it. If several users have verified it and none has it, it belongs to none of them, since
// credits could reach the wrong one.
func ByAddress(db *gorm.DB, email string) (int64, error) {
	var id int64
	err := db.Raw(`SELECT coalesce((SELECT id FROM users WHERE email = @email),
		(SELECT min(user_id) FROM identities WHERE email = @email AND email_verified AND email <> '' HAVING count(DISTINCT user_id) = 1), 0)`,
		map[string]any{"email": email}).Scan(&id).Error
	if err != nil {
		return 0, fmt.Errorf("find user by address: %w", err)
	}
	return id, nil
}

// LockAddress serialises all transactions that give this address to a user.
// Locks: the address, before any user, until the transaction ends.
func LockAddress(tx models.Tx, email string) error {
	if err := tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended('email\n' || ?, 0))", email).Error; err != nil {
		return fmt.Errorf("lock address: %w", err)
	}
	return nil
}

// AssignAddress sets a user's address by what their providers verify: the present address while one of them verifies
// it, else the most recently used verified address that no other user has, else none.
//
// Locks: the user. The caller must have locked the address that it adds.
func AssignAddress(tx models.Tx, userID int64, now time.Time) error {
	err := tx.Exec(`UPDATE users u SET email = theirs.email, updated_at = @now
		FROM (SELECT id, (SELECT i.email FROM identities i WHERE i.user_id = me.id AND i.email_verified AND i.email <> ''
				AND NOT EXISTS (SELECT FROM users other WHERE other.email = i.email AND other.id <> me.id)
			ORDER BY i.email IS NOT DISTINCT FROM me.email DESC, i.last_sign_in_at DESC, i.email LIMIT 1) AS email
			FROM users me WHERE id = @user FOR UPDATE) theirs
		WHERE u.id = theirs.id AND u.email IS DISTINCT FROM theirs.email`, map[string]any{"user": userID, "now": now}).Error
	if err != nil {
		return fmt.Errorf("assign the address of user %d: %w", userID, err)
	}
	return nil
}
