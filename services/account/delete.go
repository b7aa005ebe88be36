package account

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/purchase"
)

// DeletionPreview is what the deletion of an account would end, and what it would retain.
type DeletionPreview struct {
	Balance  models.Credits // without what refunds hold; negative for a debt
	Holds    int64          // open holds of features
	Held     models.Credits // in them
	Awaiting int64          // pending payments
	Disputed bool           // a payment is disputed, so the account cannot be deleted now
	Booked   bool           // entries or purchases must be retained
	Resumes  bool           // Resume Matcher may have some
	Until    time.Time      // the last day of retention
	Refunds  []Refundable   `gorm:"-"` // what Refund requests

	user models.User
}

// keepUntilSQL is the last day on which the bookings of user u must be retained; today when the user has none.
const keepUntilSQL = `CASE WHEN EXISTS (SELECT FROM credit_transactions WHERE user_id = u.id) OR EXISTS (SELECT FROM purchases WHERE user_id = u.id)
	THEN ` + models.KeepUntil + ` ELSE (now() AT TIME ZONE 'UTC')::date END`

// PreviewDeletion returns what the deletion of the signed-in user's account would end and retain.
// Errors: fault.Unauthenticated when the account is deleted already, and its sessions with it.
func (s *Service) PreviewDeletion(ctx context.Context, userID int64) (DeletionPreview, error) {
	db := s.DB.WithContext(ctx)
	var rows []DeletionPreview
	err := db.Raw(
		`SELECT credits_balance - open.refunds AS balance, open.held, open.holds,
		EXISTS (SELECT FROM credit_transactions WHERE user_id = u.id) OR EXISTS (SELECT FROM purchases WHERE user_id = u.id) AS booked,
		NOT ? AND EXISTS (SELECT FROM gate_users WHERE user_id = u.id) AS resumes,
		`+keepUntilSQL+` AS until FROM users u, LATERAL (
			SELECT coalesce(sum(credits) FILTER (WHERE `+models.RefundHoldSQL+`), 0) AS refunds,
				coalesce(sum(credits) FILTER (WHERE `+models.FeatureHoldSQL+`), 0) AS held,
				count(*) FILTER (WHERE `+models.FeatureHoldSQL+`) AS holds
			FROM holds WHERE user_id = u.id AND status = 'open') open
		WHERE id = ? AND deleted_at IS NULL`, s.Shared, userID).Scan(&rows).Error
	if err != nil {
		return DeletionPreview{}, fmt.Errorf("preview the deletion of user %d: %w", userID, err)
	}
	if len(rows) == 0 {
		return DeletionPreview{}, fault.New(fault.Unauthenticated, nil)
	}
	d := rows[0]
	if d.Awaiting, err = purchase.CountAwaitingPayments(db, userID); err == nil {
		d.Disputed, err = purchase.OpenDispute(db, userID)
	}
	if err == nil {
		err = db.Where("id = ?", userID).Take(&d.user).Error
	}
	if err == nil {
		d.Refunds, err = s.refundables(ctx, d.user)
	}
	return d, err
}

// Delete closes an account. Once it returns, no sign-in, spend or look-up by address reaches the account; EraseDue
// then removes the remaining personal data. Entries and purchases stay, under the account's id, and refunds that were
// requested before go on. A sign-in with the same identity, even a concurrent one, creates a new account.
//
// Locks: the identities, the user, then the holds. Idempotent: a missing or deleted account is not an error.
// Errors: fault.Conflict with fault.DeletionDispute.
func (s *Service) Delete(ctx context.Context, userID int64) error {
	deleted := false
	err := ledger.Book(ctx, s.DB, s.Log, func(tx models.Tx) (lapsed []models.CreditTransaction, err error) {
		deleted = false
		// Identities before the user: a sign-in locks them in this order.
		err = tx.Exec(`SELECT 1 FROM identities WHERE user_id = ? ORDER BY issuer, subject FOR UPDATE`, userID).Error
		if err != nil {
			return nil, fmt.Errorf("lock identities of user %d: %w", userID, err)
		}
		user, err := ledger.Lock(tx, userID)
		if err != nil || user.DeletedAt != nil {
			return nil, err
		}
		disputed, err := purchase.OpenDispute(tx.DB, userID)
		switch {
		case err != nil:
			return nil, err
		case disputed:
			return nil, fault.Because(fault.Conflict, fault.DeletionDispute)
		}
		if lapsed, err = ledger.CloseAccount(tx, userID); err != nil {
			return nil, err
		}
		deleted = true
		if !s.Shared {
			if err := deleteResumes(tx, userID); err != nil {
				return nil, err
			}
		}
		return lapsed, errors.Join(anonymize(tx, userID), tellDeleted(tx, user))
	}, nil)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete account %d: %w", userID, err)
	}
	if deleted {
		s.Log.InfoContext(ctx, "account deleted", "user_id", userID)
	}
	return nil
}

// deleteResumes makes the gate delete what Resume Matcher has of a user, also of accounts merged into this one. The
// tenant ids stay until that is done.
func deleteResumes(tx models.Tx, userID int64) error {
	err := tx.Exec(`UPDATE gate_users SET deletion_due_at = now(), deletion_cause = ?
		WHERE deletion_due_at IS NULL AND user_id IN (SELECT id FROM users WHERE id = ? OR merged_into = ?)`,
		models.CauseResumesDue, userID, userID).Error
	if err != nil {
		return fmt.Errorf("request the deletion of the resumes of user %d: %w", userID, err)
	}
	return nil
}

// anonymize deletes a user's identities and sessions and clears the personal columns, also of accounts merged into
// it.
func anonymize(tx models.Tx, userID int64) error {
	for _, statement := range []string{
		`DELETE FROM identities WHERE user_id = ?`,
		`DELETE FROM sessions WHERE user_id = ?`,
		`DELETE FROM refused_identities WHERE user_id = ?`,
		`DELETE FROM bounces WHERE user_id = ?`,
		`DELETE FROM letter_refusals WHERE user_id = ?`,
		mail.ForgetSQL + ` WHERE user_id = ? AND (status <> 'waiting' OR recipient = '')`,
		`UPDATE users u SET email = NULL, name = '', locale = '', stripe_customer_id = NULL, updated_at = now(), deleted_at = now(),
			delete_after = ` + keepUntilSQL + ` WHERE id = ?`,
		`UPDATE users u SET name = '', locale = '', updated_at = now(), deleted_at = now(), delete_after = ` + keepUntilSQL +
			`
			WHERE merged_into = ? AND deleted_at IS NULL`,
	} {
		if err := tx.Exec(statement, userID).Error; err != nil {
			return fmt.Errorf("anonymize user %d: %w", userID, err)
		}
	}
	return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionAccountDelete, UserID: userID})
}

// tellDeleted stores the letter that confirms a deletion, to the address that the account had. Once it is sent, that
// address is erased.
func tellDeleted(tx models.Tx, user models.User) error {
	if user.Email == "" {
		return nil
	}
	var args mail.AccountDeleted
	err := tx.Raw(`SELECT deleted_at, delete_after, delete_after > (deleted_at AT TIME ZONE 'UTC')::date FROM users WHERE id = ?`,
		user.ID).Row().Scan(&args.At, &args.Until, &args.Retained)
	if err == nil {
		err = tx.Raw(`SELECT coalesce(nullif(p.paid_currency, ''), p.currency) AS currency, sum(r.amount_cents) AS cents
			FROM refund_requests r JOIN purchases p ON p.id = r.purchase_id
			WHERE p.user_id = ? AND r.goodwill AND r.status = 'pending' GROUP BY 1 ORDER BY 1`, user.ID).Scan(&args.Refunds).Error
	}
	if err != nil {
		return fmt.Errorf("retention and refunds of user %d: %w", user.ID, err)
	}
	return mail.Add(tx, mail.Letter{Kind: models.LetterAccountDeleted, About: strconv.FormatInt(user.ID, 10),
		UserID: &user.ID, Recipient: user.Email, Locale: user.Locale, Args: args})
}
