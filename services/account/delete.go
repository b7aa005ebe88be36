package account

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

// Departure is what the deletion of an account would end, and what it would leave.
type Departure struct {
	Balance  models.Credits // negative for a debt
	Holds    int64          // open ones
	Held     models.Credits // by them
	Awaiting int64          // payments under way
	Disputed bool           // a bank is examining a payment: nothing is deleted meanwhile
	Booked   bool           // there are bookings that must be kept
	Until    time.Time      // the last day on which they are
}

// keepUntilOf is the last day on which the bookings of user u must be kept; today where there are none.
const keepUntilOf = `CASE WHEN EXISTS (SELECT FROM credit_transactions WHERE user_id = u.id) OR EXISTS (SELECT FROM purchases WHERE user_id = u.id)
	THEN ` + models.KeepUntil + ` ELSE (now() AT TIME ZONE 'UTC')::date END`

// Departure returns what the deletion of an account would end and leave.
// Errors: fault.NotFound.
func (s *Service) Departure(ctx context.Context, userID int64) (Departure, error) {
	db := s.DB.WithContext(ctx)
	var rows []Departure
	err := db.Raw(`SELECT credits_balance AS balance, credits_held AS held, (SELECT count(*) FROM holds WHERE user_id = u.id AND status = 'open') AS holds,
		EXISTS (SELECT FROM credit_transactions WHERE user_id = u.id) OR EXISTS (SELECT FROM purchases WHERE user_id = u.id) AS booked,
		`+keepUntilOf+` AS until FROM users u WHERE id = ? AND deleted_at IS NULL`, userID).Scan(&rows).Error
	if err != nil {
		return Departure{}, fmt.Errorf("what user %d would leave: %w", userID, err)
	}
	if len(rows) == 0 {
		return Departure{}, fault.New(fault.NotFound, nil)
	}
	d := rows[0]
	if d.Awaiting, err = purchase.CountAwaitingPayments(db, userID); err == nil {
		d.Disputed, err = purchase.OpenDispute(db, userID)
	}
	return d, err
}

// Delete ends an account. Once it returns, no sign-in, spend or look-up by address reaches the account; EraseDue removes
// what else was written about the person. Entries and purchases stay, under the account's number.
//
// The same identity makes a new account when it signs in again, also when it is on its way in at this moment.
//
// Locks: the identities, the user, then the holds. Idempotent: an account that is gone is no error.
// Errors: fault.Conflict with fault.DeletionDispute.
func (s *Service) Delete(ctx context.Context, userID int64) error {
	deleted := false
	var lapsed models.Credits
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) (err error) {
		deleted = false
		// Before the user, as a sign-in locks them.
		err = tx.Exec(`SELECT 1 FROM identities WHERE user_id = ? ORDER BY issuer, subject FOR UPDATE`, userID).Error
		if err != nil {
			return fmt.Errorf("lock the identities of user %d: %w", userID, err)
		}
		user, err := ledger.Lock(tx, userID)
		if err != nil || user.DeletedAt != nil {
			return err
		}
		disputed, err := purchase.OpenDispute(tx.DB, userID)
		switch {
		case err != nil:
			return err
		case disputed:
			return fault.Because(fault.Conflict, fault.DeletionDispute)
		}
		if lapsed, err = ledger.CloseAccount(tx, userID); err != nil {
			return err
		}
		deleted = true
		return forget(tx, userID)
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete account %d: %w", userID, err)
	}
	if deleted {
		s.Log.InfoContext(ctx, "account deleted", "user_id", userID, "credits", lapsed)
	}
	return nil
}

// forget takes away who the user was.
func forget(tx models.Tx, userID int64) error {
	for _, statement := range []string{
		`DELETE FROM identities WHERE user_id = ?`,
		`DELETE FROM sessions WHERE user_id = ?`,
		`DELETE FROM refused_identities WHERE user_id = ?`,
		`UPDATE users u SET email = NULL, name = '', locale = '', stripe_customer_id = NULL, updated_at = now(), deleted_at = now(),
			delete_after = ` + keepUntilOf + ` WHERE id = ?`,
		`UPDATE users u SET name = '', locale = '', updated_at = now(), deleted_at = now(), delete_after = ` + keepUntilOf + `
			WHERE merged_into = ? AND deleted_at IS NULL`, // what was theirs before they proved an address
	} {
		if err := tx.Exec(statement, userID).Error; err != nil {
			return fmt.Errorf("forget user %d: %w", userID, err)
		}
	}
	return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionAccountDelete, UserID: userID})
}
