// Package ledger owns the credits: balances, the append-only lines they are the sum of, and holds. Nothing else writes
// them.
package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"
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

// bookSQL locks the user, decides, appends the line and moves the balance, in one round trip; it returns no row when it
// does not book. A delta of 0 stands for what the feature costs. The database refuses to commit a line without its
// balance.
//
// A statement sees the database as it was when it began, but a row that it locks as it is. When it had to wait for the
// user, a key that was used meanwhile would stay unseen. Whatever uses a key also moves the user's row, so it books only
// on the version of the row that it began with.
const bookSQL = `WITH account AS MATERIALIZED (
	SELECT id, CASE WHEN deleted_at IS NULL THEN credits_balance - credits_held ELSE 0 END AS available, xmin AS version FROM users WHERE id = $1::int FOR UPDATE
), line AS (
	INSERT INTO credit_transactions (user_id, delta_credits, reason, stripe_event_id, meta)
	SELECT account.id, due.delta, $3, nullif($6, ''), $7::jsonb
	FROM account, (SELECT coalesce(nullif($2::int, 0), -(SELECT credits FROM feature_prices WHERE feature = $3 AND active)) AS delta) due
	WHERE version = (SELECT xmin FROM users WHERE id = $1::int) AND (due.delta > 0 OR $8::bool OR available + due.delta >= 0)
		AND ($4 = '' OR NOT EXISTS (SELECT FROM credit_transactions
			WHERE user_id = $1::int AND meta ->> 'idempotency_key' = $4 AND coalesce(meta ->> 'caller', '') = $5)
		AND NOT EXISTS (SELECT FROM holds WHERE user_id = $1::int AND idempotency_key = $4 AND api_key_id IS NOT DISTINCT FROM nullif($5, '')::uuid))
	RETURNING id, delta_credits, balance_after, created_at
)
UPDATE users SET credits_balance = credits_balance + line.delta_credits, updated_at = now() FROM line WHERE users.id = $1::int
RETURNING line.id, line.delta_credits, line.balance_after, line.created_at`

func book(tx *gorm.DB, e Entry) (Posted, error) {
	meta, err := e.Meta.Value()
	if err != nil {
		return Posted{}, fmt.Errorf("meta of %s of user %d: %w", e.Reason, e.UserID, err)
	}
	row := models.CreditTransaction{UserID: e.UserID, Reason: e.Reason, Meta: e.Meta}
	if e.StripeEventID != "" {
		row.StripeEventID = &e.StripeEventID
	}
	for {
		err := tx.Raw(bookSQL, e.UserID, int64(e.Delta), string(e.Reason), e.Meta.IdempotencyKey, e.Meta.Caller, e.StripeEventID, meta, e.overdraws()).
			Row().Scan(&row.ID, &row.DeltaCredits, &row.BalanceAfter, &row.CreatedAt)
		switch {
		case err == nil:
			return Posted{CreditTransaction: row}, nil
		case !errors.Is(err, sql.ErrNoRows):
			return Posted{}, fmt.Errorf("book %s of user %d: %w", e.Reason, e.UserID, err)
		}
		earlier, err := unbooked(tx, e)
		if err != nil || earlier.Replayed {
			return earlier, err
		}
	}
}

// unbooked says why nothing was booked: an earlier booking under the same key, or a fault. Neither when the statement
// had to wait and should be asked again; the user is locked now, so it will not wait twice.
func unbooked(tx *gorm.DB, e Entry) (Posted, error) {
	seen, err := look(tx, e.UserID, e.Reason, e.Meta.IdempotencyKey, e.Meta.Caller)
	if err != nil {
		return Posted{}, err
	}
	if seen.Line != 0 {
		return replay(tx, e, seen.Line)
	}
	cost := -e.Delta
	switch {
	case seen.Hold != nil:
		return Posted{}, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	case e.Delta == 0 && seen.Price == 0:
		return Posted{}, fault.Field("feature", fault.FeatureUnknown)
	case e.Delta == 0:
		cost = seen.Price
	}
	if cost > seen.Available && cost > 0 && !e.overdraws() {
		return Posted{}, insufficient(cost, seen.Available)
	}
	return Posted{}, nil
}

// sight is what a booking or a hold depends on, under the user's lock.
type sight struct {
	Available models.Credits
	Price     models.Credits // of the feature; 0 when it cannot be spent on
	Line      int64          // that the idempotency key wrote; 0 for none
	Hold      *uuid.UUID     // that it made
}

// look reads it. A deleted account is not there: only what Stripe says is still booked to it.
// Locks: the user's row. Errors: fault.NotFound.
func look(tx *gorm.DB, userID int64, feature models.Reason, key, caller string) (sight, error) {
	user, err := Lock(tx, userID)
	if err != nil {
		return sight{}, err
	}
	var seen sight
	err = tx.Raw(`SELECT coalesce((SELECT credits FROM feature_prices WHERE feature = @feature AND active), 0) AS price,
		coalesce((SELECT id FROM credit_transactions
			WHERE @key <> '' AND user_id = @user AND meta ->> 'idempotency_key' = @key AND coalesce(meta ->> 'caller', '') = @caller), 0) AS line,
		(SELECT id FROM holds
			WHERE @key <> '' AND user_id = @user AND idempotency_key = @key AND api_key_id IS NOT DISTINCT FROM nullif(@caller, '')::uuid) AS hold`,
		map[string]any{"user": userID, "feature": string(feature), "key": key, "caller": caller}).Scan(&seen).Error
	if err != nil {
		return sight{}, fmt.Errorf("look up idempotency key of user %d: %w", userID, err)
	}
	if user.DeletedAt != nil && feature != models.ReasonPurchase && feature != models.ReasonRefund && feature != models.ReasonDispute {
		return sight{}, fault.New(fault.NotFound, nil)
	}
	seen.Available = user.Available()
	return seen, nil
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

// PostGrants books entries that give credits for Stripe's events, of any number of users whom the caller's transaction
// has locked, and returns the lines by event. One statement does it for all of them.
//
// Units: credits. Idempotent: no; an event that has its line already fails the transaction.
func PostGrants(tx *gorm.DB, entries []Entry) (map[string]models.CreditTransaction, error) {
	var values []any
	for i, e := range entries {
		if e.Delta <= 0 || e.StripeEventID == "" || e.Meta.IdempotencyKey != "" {
			return nil, fmt.Errorf("%s of user %d is no grant for an event", e.Reason, e.UserID)
		}
		meta, err := e.Meta.Value()
		if err != nil {
			return nil, fmt.Errorf("meta of %s of user %d: %w", e.Reason, e.UserID, err)
		}
		values = append(values, i, e.UserID, int64(e.Delta), string(e.Reason), e.StripeEventID, meta)
	}
	rows := make([]models.CreditTransaction, 0, len(entries))
	err := tx.Raw(`WITH line AS (
			INSERT INTO credit_transactions (user_id, delta_credits, reason, stripe_event_id, meta)
			SELECT user_id, delta, reason, event, meta
			FROM (VALUES `+models.Tuples(len(entries), "(?::int, ?::int, ?::int, ?::text, ?::text, ?::jsonb)")+`) due (n, user_id, delta, reason, event, meta)
			ORDER BY n
			RETURNING *
		), moved AS (
			UPDATE users SET credits_balance = credits_balance + due.credits, updated_at = now()
			FROM (SELECT user_id, sum(delta_credits) AS credits FROM line GROUP BY user_id) due WHERE users.id = due.user_id
		)
		SELECT * FROM line`, values...).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("book %d grants: %w", len(entries), err)
	}
	booked := make(map[string]models.CreditTransaction, len(rows))
	for _, row := range rows {
		booked[*row.StripeEventID] = row
	}
	return booked, nil
}
