package auth

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// standing is what speaks for a user's hold on an address.
type standing int

const (
	unclaimed standing = iota // nobody has ever signed in as this user: made from an address that paid
	vouched                   // one of the user's providers has verified the address
	squatting                 // the user signs in, and nobody vouches for the address
)

// standingOf says by what right a user holds an address.
func standingOf(tx *gorm.DB, userID int64, email string) (standing, error) {
	var found struct {
		Identities int64
		Vouched    bool
	}
	err := tx.Raw(`SELECT count(*) AS identities, coalesce(bool_or(email_verified AND lower(email) = ?), false) AS vouched
		FROM identities WHERE user_id = ?`, email, userID).Scan(&found).Error
	switch {
	case err != nil:
		return squatting, fmt.Errorf("read identities of user %d: %w", userID, err)
	case found.Identities == 0:
		return unclaimed, nil
	case found.Vouched:
		return vouched, nil
	}
	return squatting, nil
}

// adoptAddress gives a known user the address that their provider has verified, unless they hold another verified one
// or the address rightly belongs to another user. Accounts are never merged here.
//
// Locks: the user and the address's holder, by ascending id.
func (a arrival) adoptAddress(tx *gorm.DB, userID int64) error {
	var rows []struct {
		ID    int64
		Email string
	}
	err := tx.Raw(`SELECT id, coalesce(lower(email), '') AS email FROM users WHERE id = ? OR lower(email) = ? ORDER BY id FOR UPDATE`,
		userID, a.who.Email).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("lock user %d: %w", userID, err)
	}
	for _, row := range rows {
		if row.ID == userID && row.Email == a.who.Email {
			return nil
		}
		if row.Email == "" {
			continue
		}
		// Their own address and another's hold on the new one give way under the same condition: that nobody vouches for it.
		rank, err := standingOf(tx, row.ID, row.Email)
		if err != nil || rank != squatting {
			return err
		}
	}
	for _, row := range rows {
		if row.ID != userID {
			if err := setEmail(tx, row.ID, "", a.now); err != nil {
				return err
			}
		}
	}
	return setEmail(tx, userID, a.who.Email, a.now)
}

// setEmail changes a user's address; "" takes it away.
func setEmail(tx *gorm.DB, userID int64, email string, now time.Time) error {
	err := tx.Exec("UPDATE users SET email = NULLIF(?::text, ''), updated_at = ? WHERE id = ?", email, now, userID).Error
	if err != nil {
		return fmt.Errorf("set address of user %d: %w", userID, err)
	}
	return nil
}
