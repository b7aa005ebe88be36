// Package ledger owns the credits: balances, the append-only lines they are the sum of, and holds. Nothing else writes
// them.
package ledger

import (
	"database/sql"
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

// Spend takes what a feature costs from what the user has available, in the caller's transaction.
//
// Units: credits. Locks: the user's row until the transaction ends.
// Idempotent: a Meta.IdempotencyKey that this Meta.Caller has used before for this user books nothing and returns the
// first booking.
// Errors: as Post; fault.Invalid for a feature that does not exist or is switched off.
func Spend(tx *gorm.DB, userID int64, feature models.Reason, meta models.Meta) (Posted, error) {
	return book(tx, Entry{UserID: userID, Reason: feature, Meta: meta})
}

// Post books one entry and moves the user's balance with it, in the caller's transaction.
//
// Units: credits. Locks: the user's row until the transaction ends.
// Idempotent: an entry whose Meta.IdempotencyKey this Meta.Caller has used before for this user books nothing and
// returns the first booking.
// Errors: fault.InsufficientCredits when the entry would take more than is available, unless its reason may overdraw;
// fault.Conflict when the key was used for another request; fault.NotFound when there is no such user.
func Post(tx *gorm.DB, e Entry) (Posted, error) {
	if e.Delta == 0 {
		return Posted{}, fmt.Errorf("an entry of no credits for user %d", e.UserID)
	}
	return book(tx, e)
}

// bookSQL locks the user, looks the idempotency key up, decides, appends the line and moves the balance, in one round
// trip. The database refuses to commit the line without the balance. A delta of 0 stands for what the feature costs.
//
// A statement sees the database as it was when it began, but a row that it locks as it is. So when it had to wait for
// the user, a key that was used meanwhile would stay unseen. Whatever uses a key also moves the user's row: if that is
// no longer the version that this statement began with, it is stale, writes nothing, and is asked again, with the lock.
const bookSQL = `WITH account AS MATERIALIZED (
	SELECT id, credits_balance - credits_held AS available, xmin AS version FROM users WHERE id = $1::int FOR UPDATE
), request AS MATERIALIZED (
	SELECT a.id, a.available, a.version <> (SELECT xmin FROM users WHERE id = $1::int) AS stale,
		coalesce(nullif($2::int, 0), -(SELECT credits FROM feature_prices WHERE feature = $3 AND active)) AS delta,
		CASE WHEN $4 <> '' THEN (SELECT t.id FROM credit_transactions t
			WHERE t.user_id = $1::int AND t.meta ->> 'idempotency_key' = $4 AND coalesce(t.meta ->> 'caller', '') = $5) END AS earlier,
		$4 <> '' AND EXISTS (SELECT FROM holds h
			WHERE h.user_id = $1::int AND h.idempotency_key = $4 AND h.api_key_id IS NOT DISTINCT FROM nullif($5, '')::uuid) AS used_by_hold
	FROM account a
), line AS (
	INSERT INTO credit_transactions (user_id, delta_credits, reason, stripe_event_id, meta)
	SELECT id, delta, $3, nullif($6, ''), $7::jsonb FROM request
	WHERE NOT stale AND earlier IS NULL AND NOT used_by_hold AND (delta > 0 OR $8::bool OR available + delta >= 0)
	RETURNING id, balance_after, created_at
), moved AS (
	UPDATE users SET credits_balance = credits_balance + request.delta, updated_at = now() FROM request, line WHERE users.id = request.id
)
SELECT request.stale, request.earlier, request.used_by_hold, request.available, request.delta, line.id, line.balance_after, line.created_at
FROM request LEFT JOIN line ON true`

func book(tx *gorm.DB, e Entry) (Posted, error) {
	for {
		posted, stale, err := tryBook(tx, e)
		if !stale {
			return posted, err
		}
	}
}

// tryBook runs the statement once.
func tryBook(tx *gorm.DB, e Entry) (posted Posted, stale bool, err error) {
	meta, err := e.Meta.Value()
	if err != nil {
		return Posted{}, false, fmt.Errorf("meta of %s of user %d: %w", e.Reason, e.UserID, err)
	}
	var (
		earlier, delta, id, balance sql.NullInt64
		usedByHold                  bool
		available                   models.Credits
		created                     sql.NullTime
	)
	err = tx.Raw(bookSQL, e.UserID, int64(e.Delta), string(e.Reason), e.Meta.IdempotencyKey, e.Meta.Caller, e.StripeEventID, meta, e.Reason.Overdraws()).
		Row().Scan(&stale, &earlier, &usedByHold, &available, &delta, &id, &balance, &created)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Posted{}, false, fault.New(fault.NotFound, nil)
	case err != nil:
		return Posted{}, false, fmt.Errorf("book %s of user %d: %w", e.Reason, e.UserID, err)
	case stale:
		return Posted{}, true, nil
	case earlier.Valid:
		posted, err = replay(tx, e, earlier.Int64)
		return posted, false, err
	case usedByHold:
		return Posted{}, false, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	case !delta.Valid:
		return Posted{}, false, fault.Field("feature", fault.FeatureUnknown)
	case !id.Valid:
		return Posted{}, false, insufficient(models.Credits(-delta.Int64), available)
	}
	row := models.CreditTransaction{ID: id.Int64, UserID: e.UserID, DeltaCredits: models.Credits(delta.Int64), Reason: e.Reason, Meta: e.Meta,
		CreatedAt: created.Time, BalanceAfter: models.Credits(balance.Int64)}
	if e.StripeEventID != "" {
		row.StripeEventID = &e.StripeEventID
	}
	return Posted{CreditTransaction: row}, false, nil
}

// replay returns what an idempotency key booked before.
func replay(tx *gorm.DB, e Entry, id int64) (Posted, error) {
	var row models.CreditTransaction
	if err := tx.Raw(`SELECT * FROM credit_transactions WHERE id = ?`, id).Take(&row).Error; err != nil {
		return Posted{}, fmt.Errorf("read credit transaction %d: %w", id, err)
	}
	if row.Meta.RequestHash != e.Meta.RequestHash || row.Reason != e.Reason { // the price may have changed since
		return Posted{}, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return Posted{CreditTransaction: row, Replayed: true}, nil
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
