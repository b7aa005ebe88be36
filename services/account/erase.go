package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/mail"
)

// eraseBatch is how many accounts or events one query returns.
const eraseBatch = 200

// EraseDue removes personal data from the rows of deleted accounts: texts of entries, idempotency keys of purchases,
// notes of admins, and every field of Stripe's events that we do not read.
//
// Locks: the rows that it changes, in separate transactions. Idempotent; any number of replicas may call it.
func (s *Service) EraseDue(ctx context.Context) error {
	var users []int64
	err := s.DB.WithContext(ctx).
		Raw(`SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NULL ORDER BY id LIMIT ?`,
			eraseBatch).Scan(&users).Error
	if err != nil {
		return fmt.Errorf("find accounts to erase: %w", err)
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
		failed = errors.Join(failed, s.eraseWithdrawals(ctx), s.Purchase.CloseAtStripe(ctx))
	}
	return failed
}

func (s *Service) erase(ctx context.Context, userID int64) error {
	for after := int64(0); ; {
		err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) (err error) {
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
		`UPDATE purchases SET idempotency_key = 'erased:' || id, checkout_url = '', return_url = NULL
			WHERE user_id = ? AND (checkout_url <> '' OR return_url IS NOT NULL OR NOT starts_with(idempotency_key, 'erased:'))`,
		`UPDATE stripe_customers SET email = '', name = '' WHERE user_id = ? AND (email, name) <> ('', '')`,
		`UPDATE refund_requests SET note = '' WHERE note <> '' AND purchase_id IN (SELECT id FROM purchases WHERE user_id = ?)`,
		`SELECT forget_audit(?)`,
	} {
		if err := db.Exec(statement, userID).Error; err != nil {
			return fmt.Errorf("erase user %d: %w", userID, err)
		}
	}
	if err := s.reducePayloads(ctx, eventsSQL("user_id = @user"), userID); err != nil {
		return err
	}
	if err := db.Exec(`UPDATE users SET erased_at = now() WHERE id = ? AND deleted_at IS NOT NULL`, userID).
		Error; err != nil {
		return fmt.Errorf("mark user %d as erased: %w", userID, err)
	}
	return nil
}

// eraseAnonymous clears the letters to consumers without an account, and their handled withdrawals, once business
// letters need not be retained any longer.
func (s *Service) eraseAnonymous(ctx context.Context) error {
	db := s.DB.WithContext(ctx)
	err := db.Exec(mail.ForgetSQL + ` WHERE user_id IS NULL AND recipient <> '' AND created_at < ` + models.KeepSince).Error
	if err == nil {
		err = db.Exec(`UPDATE withdrawals SET name = '', email = '', contract = '', fold = '', sender = ''
			WHERE user_id IS NULL AND handled_at IS NOT NULL AND received_at < ` + models.KeepSince + `
				AND (name, email, contract) <> ('', '', '')`).Error
	}
	if err != nil {
		return fmt.Errorf("erase anonymous letters and withdrawals: %w", err)
	}
	return nil
}

// eraseWithdrawals clears the texts of handled withdrawals of deleted accounts. An open withdrawal keeps them,
// because the declarant is still owed an answer.
func (s *Service) eraseWithdrawals(ctx context.Context) error {
	err := s.DB.WithContext(ctx).
		Exec(`UPDATE withdrawals w SET name = '', email = '', contract = '', fold = '', sender = ''
		FROM users u WHERE u.id = w.user_id AND u.deleted_at IS NOT NULL AND w.handled_at IS NOT NULL
			AND (w.name, w.email, w.contract) <> ('', '', '')`).Error
	if err != nil {
		return fmt.Errorf("erase withdrawals of deleted accounts: %w", err)
	}
	return nil
}
