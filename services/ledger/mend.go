package ledger

import (
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// Mend sets a user's balance to the sum of their lines, and returns what it was and what it is, in credits.
//
// Locks: the user. Errors: of the database, which also refuses a balance where the lines contradict each other.
func Mend(tx models.Tx, userID int64) (was, is models.Credits, err error) {
	user, err := Lock(tx, userID)
	if err != nil {
		return 0, 0, err
	}
	err = tx.Raw(`SELECT coalesce(sum(delta_credits), 0) FROM credit_transactions WHERE user_id = ?`, userID).Scan(&is).Error
	if err == nil && is != user.CreditsBalance {
		err = tx.Exec(`UPDATE users SET credits_balance = ?, updated_at = now() WHERE id = ?`, is, userID).Error
	}
	if err != nil {
		return 0, 0, fmt.Errorf("mend the balance of user %d: %w", userID, err)
	}
	return user.CreditsBalance, is, nil
}
