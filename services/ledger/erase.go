package ledger

import (
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// CloseAccount drops a user's open holds and lets the rest of the balance lapse, with an entry that it returns if there
// is a rest. Credits that were held for refunds stay in the balance until the refunds take them. A debt stays.
//
// Locks: the caller must have locked the user; the holds.
func CloseAccount(tx models.Tx, userID int64) ([]models.CreditTransaction, error) {
	var refunded models.Credits
	err := tx.Raw(`SELECT coalesce(sum(credits), 0) FROM holds WHERE user_id = ? AND status = 'open' AND `+
		models.RefundHoldSQL, userID).Scan(&refunded).Error
	if err == nil {
		err = tx.Exec(`DELETE FROM holds WHERE user_id = ? AND status = 'open'`, userID).Error
	}
	if err == nil {
		err = tx.Exec(`UPDATE users SET credits_held = 0, updated_at = now() WHERE id = ? AND credits_held <> 0`, userID).
			Error
	}
	if err != nil {
		return nil, fmt.Errorf("drop the open holds of user %d: %w", userID, err)
	}
	user, err := Lock(tx, userID)
	if err != nil || user.CreditsBalance <= refunded {
		return nil, err
	}
	posted, err := Post(tx, Entry{UserID: userID, Delta: refunded - user.CreditsBalance, Reason: models.ReasonManual,
		Meta: models.Meta{Actor: "system"}})
	return []models.CreditTransaction{posted.CreditTransaction}, err
}

// eraseBatch is how many rows one transaction erases.
const eraseBatch = 5000

// Erase deletes ended holds of a deleted account and removes free text from its entries after the given id, a batch of
// each. It returns the id to go on after, 0 when all is erased. RecipientHash stays, so that a repeat still finds its
// entry: without its idempotency key the hash identifies no person.
//
// Locks: those rows. Idempotent.
func Erase(tx models.Tx, userID, after int64) (int64, error) {
	var last int64
	err := tx.Raw(`SELECT forget_entries(?, ?, ?)`, userID, after, eraseBatch).Scan(&last).Error
	if err == nil {
		err = tx.Exec(`DELETE FROM holds WHERE id IN (SELECT id FROM holds WHERE user_id = ? AND status <> 'open' LIMIT ?)`,
			userID, eraseBatch).Error
	}
	if err != nil {
		return 0, fmt.Errorf("erase the ledger texts of user %d: %w", userID, err)
	}
	if last != 0 {
		return last, nil
	}
	var left bool
	if err := tx.Raw(`SELECT EXISTS (SELECT FROM holds WHERE user_id = ?)`, userID).Scan(&left).Error; err != nil {
		return 0, fmt.Errorf("look for holds of user %d: %w", userID, err)
	}
	if left {
		return max(after, 1), nil
	}
	return 0, nil
}

// Remove deletes the entries and holds of a deleted account after the retention period. The caller must delete the user
// in the same transaction: the database checks at its end that balance and entries agree. It refuses to delete entries
// within the retention period.
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
