package purchase

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// OpenDispute reports whether a dispute about a payment of the user is open.
func OpenDispute(db *gorm.DB, userID int64) (bool, error) {
	var open bool
	err := db.Raw(`SELECT EXISTS (SELECT FROM purchases p JOIN stripe_disputes d ON d.payment_ref = p.payment_intent_id
		WHERE p.user_id = ? AND d.`+models.DisputeOpenSQL+`)`, userID).Scan(&open).Error
	if err != nil {
		return false, fmt.Errorf("disputes of user %d: %w", userID, err)
	}
	return open, nil
}

// CountAwaitingPayments returns how many payments of a user are under way: Checkout is complete, the money has not
// arrived.
func CountAwaitingPayments(db *gorm.DB, userID int64) (int64, error) {
	var n int64
	err := db.Raw(`SELECT count(*) FROM purchases WHERE user_id = ? AND status = 'awaiting_payment'`, userID).Scan(&n).
		Error
	if err != nil {
		return 0, fmt.Errorf("payments under way of user %d: %w", userID, err)
	}
	return n, nil
}

// afterDeletion opens a review when a payment arrived for a deleted account: its credits are booked, but cannot be
// spent. The review ends once the money has gone back.
//
// Errors: ReviewError.
func afterDeletion(tx models.Tx, p *models.Purchase, deleted []models.Credits, booked bool) error {
	if p.Status != models.PurchasePaid || len(deleted) == 0 || !booked && (deleted[0] <= 0 || p.CreditsLeft() <= 0) {
		return nil
	}
	if err := eraseAgain(tx, p.UserID); err != nil {
		return err
	}
	return ReviewError(models.CauseDeleted)
}

// deletedStatement reads the balance of a deleted account, of any other nothing.
func deletedStatement(userID int64, into *[]models.Credits) postgres.Statement {
	return postgres.Statement{SQL: `SELECT credits_balance FROM users WHERE id = ? AND deleted_at IS NOT NULL`,
		Args: []any{userID}, Read: postgres.Values(into)}
}

// eraseAgain marks a deleted account for another erasure, because the event that was just booked may contain personal
// data. It also extends the retention to that of the new entries.
func eraseAgain(tx models.Tx, userID int64) error {
	err := tx.Exec(`UPDATE users SET erased_at = NULL, delete_after = greatest(delete_after, (
			SELECT `+models.KeepUntil+` FROM credit_transactions WHERE user_id = users.id AND created_at >= users.deleted_at LIMIT 1))
		WHERE id = ? AND deleted_at IS NOT NULL`, userID).Error
	if err != nil {
		return fmt.Errorf("erase account %d again: %w", userID, err)
	}
	return nil
}
