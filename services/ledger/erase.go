package ledger

import (
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// CloseAccount drops a user's open holds and lets the rest of the balance lapse. A debt stays.
//
// Units: credits that lapsed, 0 or more. Locks: the caller must have locked the user; the holds.
func CloseAccount(tx models.Tx, userID int64) (models.Credits, error) {
	err := tx.Exec(`DELETE FROM holds WHERE user_id = ? AND status = 'open'`, userID).Error
	if err == nil {
		err = tx.Exec(`UPDATE users SET credits_held = 0, updated_at = now() WHERE id = ? AND credits_held <> 0`, userID).Error
	}
	if err != nil {
		return 0, fmt.Errorf("drop the open holds of user %d: %w", userID, err)
	}
	user, err := Lock(tx, userID)
	if err != nil || user.CreditsBalance <= 0 {
		return 0, err
	}
	_, err = Post(tx, Entry{UserID: userID, Delta: -user.CreditsBalance, Reason: models.ReasonManual, Meta: models.Meta{Actor: "system"}})
	return user.CreditsBalance, err
}

// eraseBatch is how many rows one transaction takes free words from.
const eraseBatch = 5000

// Erase removes the holds of a deleted account that are over, and takes everything that somebody wrote out of the next
// lines after the one numbered after. It returns the last of them; 0 at the end. The hash under which a service named
// somebody stays: without the key that goes with it, it leads to nobody, and a repeat still finds its line.
//
// Locks: those rows. Idempotent.
func Erase(tx models.Tx, userID, after int64) (int64, error) {
	var last int64
	err := tx.Raw(`SELECT forget_entries(?, ?, ?)`, userID, after, eraseBatch).Scan(&last).Error
	if err == nil {
		err = tx.Exec(`DELETE FROM holds WHERE id IN (SELECT id FROM holds WHERE user_id = ? AND status <> 'open' LIMIT ?)`, userID, eraseBatch).Error
	}
	if err != nil {
		return 0, fmt.Errorf("erase the words in the ledger of user %d: %w", userID, err)
	}
	if last != 0 {
		return last, nil
	}
	var left bool
	if err := tx.Raw(`SELECT EXISTS (SELECT FROM holds WHERE user_id = ?)`, userID).Scan(&left).Error; err != nil {
		return 0, fmt.Errorf("holds of user %d: %w", userID, err)
	}
	if left {
		return max(after, 1), nil
	}
	return 0, nil
}

// Remove removes the lines and holds of a deleted account that need not be kept any more. The user's row must go in the
// same transaction: the database wants balance and lines to agree at its end, and refuses lines younger than eight years.
//
// Locks: the user. Errors: fault.NotFound.
func Remove(tx models.Tx, userID int64) error {
	if _, err := Lock(tx, userID); err != nil {
		return err
	}
	for _, statement := range []string{`SELECT remove_entries(?)`, `DELETE FROM holds WHERE user_id = ?`} {
		if err := tx.Exec(statement, userID).Error; err != nil {
			return fmt.Errorf("remove the ledger of user %d: %w", userID, err)
		}
	}
	return nil
}
