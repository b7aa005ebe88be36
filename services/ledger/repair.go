package ledger

import (
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// RepairBalance sets a user's balance to the sum of their entries.
//
// Units: credits. Locks: the user. Errors: of the database, which also refuses to commit entries that contradict each
// other.
func RepairBalance(tx models.Tx, userID int64) (before, after models.Credits, err error) {
	user, err := Lock(tx, userID)
	if err != nil {
		return 0, 0, err
	}
	err = tx.Raw(`SELECT coalesce(sum(delta_credits), 0) FROM credit_transactions WHERE user_id = ?`, userID).Scan(&after).
		Error
	if err == nil && after != user.CreditsBalance {
		err = tx.Exec(`UPDATE users SET credits_balance = ?, updated_at = now() WHERE id = ?`, after, userID).Error
	}
	if err != nil {
		return 0, 0, fmt.Errorf("repair the balance of user %d: %w", userID, err)
	}
	return user.CreditsBalance, after, nil
}
