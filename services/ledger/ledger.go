// Package ledger owns the credits: balances and the append-only lines they are the sum of. Nothing else writes them.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Entry is one movement of credits that is to be booked.
type Entry struct {
	UserID        int64
	Delta         models.Credits // never 0
	Reason        models.Reason
	StripeEventID string // the event that caused it; empty when none did
	Meta          models.Meta
}

// Posted is a booked movement. Replayed says that the entry's idempotency key had booked it before.
type Posted struct {
	models.CreditTransaction
	Replayed bool
}

// Post books one entry and moves the user's balance with it, in the caller's transaction.
//
// Units: credits. Locks: the user's row until the transaction ends.
// Idempotent: an entry whose Meta.IdempotencyKey this user has used before books nothing and returns the first booking.
// Errors: fault.InsufficientCredits when the entry would take more than is available, unless its reason may overdraw;
// fault.Conflict when the key was used for another request; fault.NotFound when there is no such user.
func Post(tx *gorm.DB, e Entry) (Posted, error) {
	user, err := Lock(tx, e.UserID)
	if err != nil {
		return Posted{}, err
	}
	if e.Meta.IdempotencyKey != "" {
		earlier, err := replay(tx, e)
		if err != nil || earlier.ID != 0 {
			return Posted{CreditTransaction: earlier, Replayed: true}, err
		}
	}
	if left := user.Available() + e.Delta; e.Delta < 0 && left < 0 && !e.Reason.Overdraws() {
		return Posted{}, insufficient(-e.Delta, user.Available())
	}
	row, err := appendRow(tx, e)
	return Posted{CreditTransaction: row}, err
}

// insufficient is the refusal of a spend.
// Units: credits.
func insufficient(required, available models.Credits) error {
	return fault.New(fault.InsufficientCredits, map[string]any{
		"required": int64(required), "available": int64(available), "missing": int64(required - available),
	})
}

// maxKeyLength is Stripe's own limit, in characters. Source: https://docs.stripe.com/api/idempotent_requests
const maxKeyLength = 255

// CheckKey reports whether an idempotency key can be kept. An empty one can: it is none.
// Errors: fault.Malformed.
func CheckKey(key string) error {
	if utf8.RuneCountInString(key) > maxKeyLength || !models.Storable(key) {
		return fault.Because(fault.Malformed, fault.KeyLength)
	}
	return nil
}

// Lock reads a user and keeps every other transaction from moving their credits.
// Locks: the user's row. Errors: fault.NotFound.
func Lock(tx *gorm.DB, userID int64) (models.User, error) {
	var user models.User
	err := tx.Raw(`SELECT * FROM users WHERE id = ? FOR UPDATE`, userID).Take(&user).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return user, fault.New(fault.NotFound, nil)
	}
	if err != nil {
		return user, fmt.Errorf("lock user %d: %w", userID, err)
	}
	return user, nil
}

// replay finds what this user's idempotency key booked before. The user is locked, so nobody books it meanwhile.
func replay(tx *gorm.DB, e Entry) (models.CreditTransaction, error) {
	var row models.CreditTransaction
	err := tx.Raw(`SELECT * FROM credit_transactions
		WHERE user_id = ? AND meta ->> 'idempotency_key' = ?`, e.UserID, e.Meta.IdempotencyKey).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return models.CreditTransaction{}, nil
	}
	if err != nil {
		return row, fmt.Errorf("look up idempotency key of user %d: %w", e.UserID, err)
	}
	if row.Meta.RequestHash != e.Meta.RequestHash || row.Reason != e.Reason { // the price may have changed since
		return models.CreditTransaction{}, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return row, nil
}

// appendRow writes the line and moves the balance. The database refuses to commit one without the other.
func appendRow(tx *gorm.DB, e Entry) (models.CreditTransaction, error) {
	row := models.CreditTransaction{UserID: e.UserID, DeltaCredits: e.Delta, Reason: e.Reason, Meta: e.Meta}
	if e.StripeEventID != "" {
		row.StripeEventID = &e.StripeEventID
	}
	err := tx.Raw(`INSERT INTO credit_transactions (user_id, delta_credits, reason, stripe_event_id, meta)
		VALUES (?, ?, ?, ?, ?::jsonb) RETURNING *`, row.UserID, row.DeltaCredits, row.Reason, row.StripeEventID, row.Meta).Take(&row).Error
	if err != nil {
		return row, fmt.Errorf("append %s of user %d: %w", e.Reason, e.UserID, err)
	}
	err = tx.Exec(`UPDATE users SET credits_balance = credits_balance + ?, updated_at = now() WHERE id = ?`, e.Delta, e.UserID).Error
	if err != nil {
		return row, fmt.Errorf("move the balance of user %d: %w", e.UserID, err)
	}
	return row, nil
}

// Service reads the ledger.
type Service struct{ DB *gorm.DB }

// Page is one stretch of a user's history, newest first. Next is the cursor of the one after it, 0 at the end.
type Page struct {
	Entries []models.CreditTransaction
	Next    int64
}

// History returns up to limit lines of the user's ledger older than the line numbered before; 0 begins at the newest.
func (s *Service) History(ctx context.Context, userID, before int64, limit int) (Page, error) {
	query := s.DB.WithContext(ctx).Where("user_id = ?", userID)
	if before > 0 {
		query = query.Where("id < ?", before)
	}
	var page Page
	if err := query.Order("id DESC").Limit(limit + 1).Find(&page.Entries).Error; err != nil {
		return page, fmt.Errorf("history of user %d: %w", userID, err)
	}
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Next = page.Entries[limit-1].ID
	}
	return page, nil
}

// OfPurchase returns what one purchase did to the ledger, oldest first.
func (s *Service) OfPurchase(ctx context.Context, purchaseID string) ([]models.CreditTransaction, error) {
	var rows []models.CreditTransaction
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM credit_transactions
		WHERE meta ->> 'purchase_id' = ? ORDER BY id`, purchaseID).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("ledger of purchase %s: %w", purchaseID, err)
	}
	return rows, nil
}
