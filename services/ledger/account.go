package ledger

import (
	"fmt"
	"strings"
	"unicode"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Account returns the id of the user to whom an address belongs, and makes one where there is none. Somebody who
// signed in with the address without their provider vouching for it loses it, as they would to its owner's first
// sign-in: they must not get what its owner pays for.
//
// The address must be as Address returns it. Locks: the user who loses or gets it.
func Account(tx *gorm.DB, email string) (int64, error) {
	err := tx.Exec(`UPDATE users u SET email = NULL, updated_at = now() WHERE lower(u.email) = lower(?) AND NOT (`+vouched+`)`, email).Error
	if err == nil {
		err = tx.Exec(`INSERT INTO users (email) VALUES (?) ON CONFLICT ((lower(email))) DO NOTHING`, email).Error
	}
	if err != nil {
		return 0, fmt.Errorf("account of an address: %w", err)
	}
	return Holder(tx, email)
}

// vouched is whether user u holds their address by right: nobody has signed in as them yet, or one of their providers
// has verified it.
const vouched = `(NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id)
	OR EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id AND i.email_verified AND lower(i.email) = lower(u.email)))`

// Holder returns the id of the user who holds an address by right, 0 where nobody does.
func Holder(db *gorm.DB, email string) (int64, error) {
	var id int64
	if err := db.Raw(`SELECT u.id FROM users u WHERE lower(u.email) = lower(?) AND `+vouched, email).Scan(&id).Error; err != nil {
		return 0, fmt.Errorf("holder of an address: %w", err)
	}
	return id, nil
}

// Address is a typed e-mail address in the form in which it is kept, or "" when it cannot be one.
func Address(typed string) string {
	typed = strings.ToLower(strings.TrimSpace(typed))
	strange := strings.ContainsFunc(typed, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
	if strange || len(typed) > 320 || strings.Count(typed, "@") != 1 || !models.Storable(typed) {
		return ""
	}
	return typed
}
