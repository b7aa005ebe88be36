// Package ledger owns the credits: balances, the append-only entries they are the sum of, and holds. No other package
// writes them.
package ledger

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Entry is one movement of credits to book.
type Entry struct {
	UserID        int64
	Delta         models.Credits // never 0, except in a PostOp
	Reason        models.Reason
	StripeEventID string // the event that caused it; empty when none did
	Meta          models.Meta
}

// Posted is a booked entry. Replayed says that its idempotency key had booked it before.
type Posted struct {
	models.CreditTransaction
	Replayed bool
}

// Post books one entry and moves the user's balance with it, in the caller's transaction.
//
// Units: credits. Locks: the user's row until the transaction ends.
// Idempotent: an entry whose Meta.IdempotencyKey this Meta.Caller has used before for this user books nothing and
// returns the first booking.
// Errors: fault.InsufficientCredits when the entry would take more than is available, unless its reason may overdraw;
// fault.Conflict when the key was used for another request; fault.NotFound when there is no such user.
func Post(tx models.Tx, e Entry) (Posted, error) {
	if e.Delta == 0 {
		return Posted{}, fmt.Errorf("an entry of no credits for user %d", e.UserID)
	}
	op := &PostOp{Entry: e}
	if err := Apply(tx, op); err != nil {
		return Posted{}, err
	}
	return op.Posted, op.Err()
}

// maxKeyLength is Stripe's own limit, in characters. Source: https://docs.stripe.com/api/idempotent_requests
const maxKeyLength = 255

// CheckKey reports whether an idempotency key can be stored. An empty one means no key.
// Errors: fault.Malformed.
func CheckKey(key string) error {
	if utf8.RuneCountInString(key) > maxKeyLength || !models.Storable(key) {
		return fault.Because(fault.Malformed, fault.KeyLength)
	}
	return nil
}

// Lock reads a user and keeps every other transaction from moving the user's credits.
// Locks: the user's row. Errors: fault.NotFound.
func Lock(tx models.Tx, userID int64) (models.User, error) {
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
