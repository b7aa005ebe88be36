package purchase

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

// eraseBatch is how many accounts, events or customers are taken at a time.
const eraseBatch = 200

// OpenDispute reports whether a bank is examining a payment of the user.
func OpenDispute(tx *gorm.DB, userID int64) (bool, error) {
	var open bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM purchases p JOIN stripe_disputes d ON d.payment_ref = p.payment_intent_id
		WHERE p.user_id = ? AND d.status IN ('warning_needs_response', 'warning_under_review', 'needs_response', 'under_review'))`, userID).Scan(&open).Error
	if err != nil {
		return false, fmt.Errorf("disputes of user %d: %w", userID, err)
	}
	return open, nil
}

// Awaiting returns how many payments of a user are under way: ordered, and not arrived.
func Awaiting(tx *gorm.DB, userID int64) (int64, error) {
	var n int64
	err := tx.Raw(`SELECT count(*) FROM purchases WHERE user_id = ? AND status = 'awaiting_payment'`, userID).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("payments under way of user %d: %w", userID, err)
	}
	return n, nil
}

// afterDeletion hands to a person what was paid for an account that had been deleted by then: the credits are booked, and
// nobody is there to spend them. It stays so until the money is back.
//
// Errors: ReviewError.
func afterDeletion(tx *gorm.DB, p *models.Purchase, booked bool) error {
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

// eraseAgain has EraseDue look at a deleted account once more: an event has come that may name the person. What it booked
// is of this year, and so is how long that must be kept.
func eraseAgain(tx *gorm.DB, userID int64) error {
	err := tx.Exec(`UPDATE users SET erased_at = NULL, delete_after = greatest(delete_after, (
			SELECT `+models.KeepUntil+` FROM credit_transactions WHERE user_id = users.id AND created_at >= users.deleted_at LIMIT 1))
		WHERE id = ? AND deleted_at IS NOT NULL`, userID).Error
	if err != nil {
		return fmt.Errorf("erase account %d again: %w", userID, err)
	}
	return nil
}

// EraseDue takes what still tells of a person out of the rows of accounts that were deleted: texts in the ledger, keys
// of orders, notes of admins, and what Stripe's events said beside what we read of them.
//
// Locks: the rows that it changes, in transactions of their own. Idempotent; any number of replicas may call it.
func (s *Service) EraseDue(ctx context.Context) error {
	var users []int64
	err := s.DB.WithContext(ctx).Raw(`SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NULL ORDER BY id LIMIT ?`, eraseBatch).Scan(&users).Error
	if err != nil {
		return fmt.Errorf("accounts to erase: %w", err)
	}
	var failed error
	for _, id := range users {
		if err := s.erase(ctx, id); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		s.Log.InfoContext(ctx, "account erased", "user_id", id)
	}
	if len(users) > 0 {
		failed = errors.Join(failed, s.eraseWithdrawals(ctx), s.leaveStripe(ctx))
	}
	return failed
}

func (s *Service) erase(ctx context.Context, userID int64) error {
	for after := int64(0); ; {
		err := postgres.Transaction(ctx, s.DB, func(tx *gorm.DB) (err error) {
			after, err = ledger.Erase(tx, userID, after)
			return err
		})
		if err != nil {
			return err
		}
		if after == 0 {
			break
		}
	}
	db := s.DB.WithContext(ctx)
	for _, statement := range []string{
		`UPDATE purchases SET idempotency_key = 'erased:' || id, checkout_url = '' WHERE user_id = ? AND (checkout_url <> '' OR NOT starts_with(idempotency_key, 'erased:'))`,
		`UPDATE stripe_customers SET email = '', name = '' WHERE user_id = ? AND (email, name) <> ('', '')`,
		`UPDATE refund_requests SET note = '' WHERE note <> '' AND purchase_id IN (SELECT id FROM purchases WHERE user_id = ?)`,
		`SELECT forget_audit(?)`,
	} {
		if err := db.Exec(statement, userID).Error; err != nil {
			return fmt.Errorf("erase what was written of user %d: %w", userID, err)
		}
	}
	if err := s.reduceEvents(ctx, eventsOf("user_id = @user"), userID); err != nil {
		return err
	}
	if err := db.Exec(`UPDATE users SET erased_at = now() WHERE id = ? AND deleted_at IS NOT NULL`, userID).Error; err != nil {
		return fmt.Errorf("note that user %d is erased: %w", userID, err)
	}
	return nil
}

// eraseWithdrawals takes the words out of the withdrawals of deleted accounts. One that nobody has handled yet keeps them
// until then: who declared it is owed an answer.
func (s *Service) eraseWithdrawals(ctx context.Context) error {
	err := s.DB.WithContext(ctx).Exec(`UPDATE withdrawals w SET name = '', email = '', contract = '', fold = '', sender = '' FROM users u
		WHERE u.id = w.user_id AND u.deleted_at IS NOT NULL AND w.handled_at IS NOT NULL AND (w.name, w.email, w.contract) <> ('', '', '')`).Error
	if err != nil {
		return fmt.Errorf("erase the withdrawals of deleted accounts: %w", err)
	}
	return nil
}
