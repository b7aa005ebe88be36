package auth

import (
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
)

// assignAddress sets a user's address by what their providers verify: the present address while one of them verifies
// it, else the most recently used verified address that no other account has, else none.
//
// Locks: the user. The caller has locked the address (ledger.LockAddress).
func assignAddress(tx models.Tx, userID int64, now time.Time) error {
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
