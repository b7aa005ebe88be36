// Package ledger owns the credits. No other package writes them.
//
// Its words:
//   - entry: one signed, append-only line of the ledger (models.CreditTransaction)
//   - balance: the sum of a user's entries; held: the credits in their open holds; available: balance − held
//   - hold: credits reserved for a feature; it ends by capture (the credits are taken, the rest is freed), release or
//     expiry (all are freed)
//   - operation: a post, hold, capture or release; Apply runs any number of them in one transaction
//
// Every transaction locks in one order: event → payment → purchase → user → hold, several users by ascending id.
package ledger

import (
	"fmt"
	"unicode/utf8"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// Entry is an entry to book.
type Entry struct {
	UserID        int64
	Delta         models.Credits // never 0, except in a PostOp
	Reason        models.Reason
	StripeEventID string // the event that caused it, or empty
	Meta          models.Meta
}

// Posted is a booked entry. Replayed reports that an earlier request with the same idempotency key booked it.
type Posted struct {
	models.CreditTransaction
	Replayed bool
}

// Post books one entry and updates the user's balance.
//
// Units: credits. Locks: the user.
// Idempotent: by Meta.Caller, user and Meta.IdempotencyKey; a repeat books nothing and returns the first entry.
// Errors: fault.InsufficientCredits when the entry takes more than is available, unless its reason may overdraw;
// fault.Conflict when the key was used for another request; fault.NotFound for an unknown user.
func Post(tx models.Tx, e Entry) (Posted, error) {
	if e.Delta == 0 {
		return Posted{}, fmt.Errorf("post an entry of 0 credits for user %d", e.UserID)
	}
	op := &PostOp{Entry: e}
	if err := Apply(tx, op); err != nil {
		return Posted{}, err
	}
	return op.Posted, op.Err()
}

// maxKeyLength is Stripe's own limit, in characters. Source: https://docs.stripe.com/api/idempotent_requests
const maxKeyLength = 255

// CheckKey checks that an idempotency key can be stored. An empty key means none.
// Errors: fault.Malformed.
func CheckKey(key string) error {
	if utf8.RuneCountInString(key) > maxKeyLength || !models.Storable(key) {
		return fault.Because(fault.Malformed, fault.KeyLength)
	}
	return nil
}

// Lock locks a user, so that no other transaction moves their credits, and returns the row.
// Locks: the user. Errors: fault.NotFound.
func Lock(tx models.Tx, userID int64) (models.User, error) {
	var user models.User
	err := tx.Raw(`SELECT * FROM users WHERE id = ? FOR UPDATE`, userID).Take(&user).Error
	return user, postgres.Found(err, "lock user %d", userID)
}
