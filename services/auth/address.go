package auth

import (
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
)

// settleAddress gives a user who signs in the address that is theirs by right, whatever their identities have become:
// the one that they have, while a provider of theirs has verified it; else another one that a provider has verified and
// no account holds, the latest used first; else none.
//
// Locks: the user. The addresses that the caller brings must be locked (ledger.LockAddress).
func settleAddress(tx models.Tx, userID int64, now time.Time) error {
	err := tx.Exec(`UPDATE users u SET email = theirs.email, updated_at = @now
		FROM (SELECT id, (SELECT i.email FROM identities i WHERE i.user_id = me.id AND i.email_verified AND i.email <> ''
				AND NOT EXISTS (SELECT FROM users other WHERE other.email = i.email AND other.id <> me.id)
			ORDER BY i.email IS NOT DISTINCT FROM me.email DESC, i.last_sign_in_at DESC, i.email LIMIT 1) AS email
			FROM users me WHERE id = @user FOR UPDATE) theirs
		WHERE u.id = theirs.id AND u.email IS DISTINCT FROM theirs.email`, map[string]any{"user": userID, "now": now}).Error
	if err != nil {
		return fmt.Errorf("settle the address of user %d: %w", userID, err)
	}
	return nil
}
