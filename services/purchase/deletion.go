package purchase

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// OpenDispute reports whether a bank is examining a payment of the user.
func OpenDispute(db *gorm.DB, userID int64) (bool, error) {
	var open bool
	err := db.Raw(`SELECT EXISTS (SELECT FROM purchases p JOIN stripe_disputes d ON d.payment_ref = p.payment_intent_id
		WHERE p.user_id = ? AND d.status IN ('warning_needs_response', 'warning_under_review', 'needs_response', 'under_review'))`, userID).Scan(&open).Error
	if err != nil {
		return false, fmt.Errorf("disputes of user %d: %w", userID, err)
	}
	return open, nil
}

// CountAwaitingPayments returns how many payments of a user are under way: ordered, and not arrived.
func CountAwaitingPayments(db *gorm.DB, userID int64) (int64, error) {
	var n int64
	err := db.Raw(`SELECT count(*) FROM purchases WHERE user_id = ? AND status = 'awaiting_payment'`, userID).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("payments under way of user %d: %w", userID, err)
	}
	return n, nil
}

// afterDeletion hands to a person what was paid for an account that had been deleted by then: the credits are booked, and
// nobody is there to spend them. It stays so until the money is back.
//
// Errors: ReviewError.
func afterDeletion(tx models.Tx, p *models.Purchase, booked bool) error {
	if p.Status != models.PurchasePaid {
		return nil
	}
	var gone []models.Credits // the balance, of a deleted account alone
	err := tx.Raw(`SELECT credits_balance FROM users WHERE id = ? AND deleted_at IS NOT NULL`, p.UserID).Scan(&gone).Error
	if err != nil {
		return fmt.Errorf("account of purchase %s: %w", p.ID, err)
	}
	if len(gone) == 0 || !booked && (gone[0] <= 0 || p.CreditsRefunded+p.CreditsDisputed >= p.CreditsGranted) {
		return nil
	}
	if err := eraseAgain(tx, p.UserID); err != nil {
		return err
	}
	return ReviewError(models.CauseDeleted)
}

// eraseAgain marks a deleted account to be erased once more: an event has come that may name the person. What it booked
// is of this year, and so is how long that must be kept.
func eraseAgain(tx models.Tx, userID int64) error {
	err := tx.Exec(`UPDATE users SET erased_at = NULL, delete_after = greatest(delete_after, (
			SELECT `+models.KeepUntil+` FROM credit_transactions WHERE user_id = users.id AND created_at >= users.deleted_at LIMIT 1))
		WHERE id = ? AND deleted_at IS NOT NULL`, userID).Error
	if err != nil {
		return fmt.Errorf("erase account %d again: %w", userID, err)
	}
	return nil
}
