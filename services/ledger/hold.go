package ledger

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Order asks to hold what a feature costs.
type Order struct {
	ID          uuid.UUID // of the hold to be
	UserID      int64
	Owner       uuid.UUID // the service key; the zero id for the user's own session
	Feature     models.Reason
	TTL         time.Duration
	Key         string // idempotency key; empty for none
	RequestHash string
	Named       string          // as models.Meta.Named
	Metadata    json.RawMessage // a JSON object, or empty
}

// Held is a hold. Replayed says that an earlier request had brought it where it is.
type Held struct {
	models.Hold
	Replayed bool
}

// holdSQL is bookSQL for a hold: it locks, decides, reserves and counts the reserved credits in one round trip.
const holdSQL = `WITH account AS MATERIALIZED (
	SELECT id, CASE WHEN deleted_at IS NULL THEN credits_balance - credits_held ELSE 0 END AS available, xmin AS version FROM users WHERE id = $1::int FOR UPDATE
), moment AS MATERIALIZED (
	SELECT clock_timestamp() AS now FROM account -- once the user is locked: the time begins with the hold, not with the waiting
), hold AS (
	INSERT INTO holds (id, user_id, api_key_id, feature, credits, idempotency_key, request_hash, named, metadata, expires_at, created_at, updated_at)
	SELECT $5::uuid, account.id, $4::uuid, feature, credits, nullif($3, ''), $6, nullif($9, ''), $7::jsonb,
		moment.now + $8::float8 * interval '1 microsecond', moment.now, moment.now
	FROM account, moment, feature_prices
	WHERE feature = $2 AND active AND available >= credits AND version = (SELECT xmin FROM users WHERE id = $1::int)
		AND ($3 = '' OR NOT EXISTS (SELECT FROM holds WHERE user_id = $1::int AND idempotency_key = $3 AND api_key_id IS NOT DISTINCT FROM $4::uuid)
		AND NOT EXISTS (SELECT FROM credit_transactions
			WHERE user_id = $1::int AND meta ->> 'idempotency_key' = $3 AND coalesce(meta ->> 'caller', '') = coalesce($4::uuid::text, '')))
	RETURNING credits, metadata, expires_at, created_at
)
UPDATE users SET credits_held = credits_held + hold.credits, updated_at = now() FROM hold WHERE users.id = $1::int
RETURNING hold.credits, hold.metadata, hold.expires_at, hold.created_at`

// Hold reserves what a feature costs, in the caller's transaction.
//
// Units: credits. Locks: the user's row until the transaction ends.
// Idempotent: by owner, user and key, for ever; a repeat returns the hold as it stands now.
// Errors: as Spend.
func Hold(tx *gorm.DB, o Order) (Held, error) {
	row := o.open()
	for {
		var kept []byte // as the database writes it
		err := tx.Raw(holdSQL, o.UserID, string(o.Feature), o.Key, ownerOf(o.Owner), o.ID, o.RequestHash, string(o.metadata()), o.TTL.Microseconds(), o.Named).Row().
			Scan(&row.Credits, &kept, &row.ExpiresAt, &row.CreatedAt)
		switch {
		case err == nil:
			row.Metadata, row.UpdatedAt = kept, row.CreatedAt
			return Held{Hold: row}, nil
		case !errors.Is(err, sql.ErrNoRows):
			return Held{}, fmt.Errorf("hold %s of user %d: %w", o.Feature, o.UserID, err)
		}
		earlier, err := unheld(tx, o)
		if err != nil || earlier.Replayed {
			return earlier, err
		}
	}
}

// open is the hold to be, without what the database says of it.
func (o Order) open() models.Hold {
	return models.Hold{
		ID: o.ID, UserID: o.UserID, APIKeyID: ownerOf(o.Owner), Feature: o.Feature, Status: models.HoldOpen,
		IdempotencyKey: o.Key, RequestHash: o.RequestHash, Named: o.Named,
	}
}

func (o Order) metadata() json.RawMessage {
	if len(o.Metadata) == 0 {
		return json.RawMessage("{}")
	}
	return o.Metadata
}

// ownerOf is an owner as the database keeps it.
func ownerOf(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// unheld says why nothing was held, as unbooked does.
func unheld(tx *gorm.DB, o Order) (Held, error) {
	caller := ""
	if o.Owner != uuid.Nil {
		caller = o.Owner.String()
	}
	seen, err := look(tx, o.UserID, o.Feature, o.Key, caller)
	switch {
	case err != nil:
		return Held{}, err
	case seen.Hold != nil:
		return heldBefore(tx, o, *seen.Hold)
	case seen.Line != 0:
		return Held{}, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	case seen.Price == 0:
		return Held{}, fault.Field("feature", fault.FeatureUnknown)
	case seen.Price > seen.Available:
		return Held{}, insufficient(seen.Price, seen.Available)
	}
	return Held{}, nil
}

// heldBefore returns the hold that an idempotency key made before.
func heldBefore(tx *gorm.DB, o Order, id uuid.UUID) (Held, error) {
	var row models.Hold
	if err := tx.Raw(`SELECT * FROM holds WHERE id = ?`, id).Take(&row).Error; err != nil {
		return Held{}, fmt.Errorf("read hold %s: %w", id, err)
	}
	if row.RequestHash != o.RequestHash || row.Feature != o.Feature { // the price may have changed since
		return Held{}, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return Held{Hold: row, Replayed: true}, nil
}

// captureSQL locks the user, then the hold, appends the line, ends the hold and moves balance and held credits.
const captureSQL = `WITH account AS MATERIALIZED (
	SELECT id FROM users WHERE id = (SELECT user_id FROM holds WHERE id = $1::uuid AND api_key_id IS NOT DISTINCT FROM $2::uuid) FOR UPDATE
), hold AS MATERIALIZED (
	SELECT holds.* FROM holds, account WHERE holds.id = $1::uuid FOR UPDATE OF holds
), moment AS MATERIALIZED (
	SELECT clock_timestamp() AS now FROM hold -- after all waiting
), due AS MATERIALIZED (
	SELECT hold.id, hold.user_id, hold.credits, coalesce($3::int, hold.credits) AS taken, hold.feature, hold.metadata
	FROM hold, moment WHERE hold.status = 'open' AND hold.expires_at > moment.now AND coalesce($3::int, hold.credits) <= hold.credits
), line AS (
	INSERT INTO credit_transactions (user_id, delta_credits, reason, meta)
	SELECT user_id, -taken, feature, jsonb_build_object('hold_id', id)
		|| CASE WHEN $2::uuid IS NULL THEN '{}' ELSE jsonb_build_object('caller', $2::uuid::text) END
		|| CASE WHEN metadata = '{}' THEN '{}' ELSE jsonb_build_object('metadata', metadata) END
	FROM due RETURNING id
), ended AS (
	UPDATE holds SET status = 'captured', captured = due.taken, transaction_id = line.id, updated_at = now()
	FROM due, line WHERE holds.id = due.id RETURNING holds.*
), moved AS (
	UPDATE users SET credits_balance = credits_balance - due.taken, credits_held = credits_held - due.credits, updated_at = now()
	FROM due, line WHERE users.id = due.user_id
)
SELECT ended.*, true AS now, false AS late FROM ended
UNION ALL SELECT hold.*, false, hold.expires_at <= moment.now FROM hold, moment WHERE NOT EXISTS (SELECT FROM ended)`

// Capture takes the held credits, or fewer; the rest is free again. It may leave a debt where a refund came in between:
// what was held was promised.
//
// Units: credits; nil takes them all. Locks: the user, then the hold.
// Idempotent: capturing as many again returns the hold as it is.
// Errors: fault.NotFound for another owner's hold, too; fault.HoldClosed with its status when it has ended otherwise or
// its time is over; fault.Invalid for fewer than one credit, or more than are held.
func Capture(tx *gorm.DB, owner uuid.UUID, id uuid.UUID, credits *models.Credits) (Held, error) {
	if credits != nil && *credits < 1 {
		return Held{}, fault.Field("credits", fault.CaptureRange)
	}
	row, err := endHold(tx, captureSQL, owner, id, credits)
	if err != nil || row.Now {
		return Held{Hold: row.Hold}, err
	}
	wanted := row.Credits
	if credits != nil {
		wanted = *credits
	}
	switch {
	case row.Status == models.HoldCaptured && row.Captured == wanted:
		return Held{Hold: row.Hold, Replayed: true}, nil
	case row.Status == models.HoldOpen && !row.Late:
		return Held{}, fault.Field("credits", fault.CaptureRange)
	}
	return Held{}, closed(row)
}

// releaseSQL locks the user, then the hold, ends the hold and frees its credits. One whose time is over has expired.
const releaseSQL = `WITH account AS MATERIALIZED (
	SELECT id FROM users WHERE id = (SELECT user_id FROM holds WHERE id = $1::uuid AND api_key_id IS NOT DISTINCT FROM $2::uuid) FOR UPDATE
), hold AS MATERIALIZED (
	SELECT holds.* FROM holds, account WHERE holds.id = $1::uuid FOR UPDATE OF holds
), ended AS (
	UPDATE holds SET status = CASE WHEN hold.expires_at > clock_timestamp() THEN 'released' ELSE 'expired' END, updated_at = now()
	FROM hold WHERE holds.id = hold.id AND hold.status = 'open' RETURNING holds.*
), moved AS (
	UPDATE users SET credits_held = credits_held - ended.credits, updated_at = now() FROM ended WHERE users.id = ended.user_id
)
SELECT ended.*, true AS now, false AS late FROM ended
UNION ALL SELECT hold.*, false, false FROM hold WHERE NOT EXISTS (SELECT FROM ended)`

// Release gives the held credits back.
//
// Locks: the user, then the hold. Idempotent: a hold that was released, or has expired, is returned as it is.
// Errors: fault.NotFound for another owner's hold, too; fault.HoldClosed when it was captured.
func Release(tx *gorm.DB, owner uuid.UUID, id uuid.UUID) (Held, error) {
	row, err := endHold(tx, releaseSQL, owner, id)
	if err != nil {
		return Held{}, err
	}
	if row.Status == models.HoldCaptured {
		return Held{}, closed(row)
	}
	return Held{Hold: row.Hold, Replayed: !row.Now}, nil
}

// endedHold is a hold after an attempt to end it. Now says that the attempt did; Late that its time was over.
type endedHold struct {
	models.Hold
	Now, Late bool
}

func endHold(tx *gorm.DB, statement string, owner, id uuid.UUID, more ...any) (endedHold, error) {
	var row endedHold
	args := append([]any{id, ownerOf(owner)}, more...)
	err := tx.Raw(statement, args...).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fault.New(fault.NotFound, nil)
	}
	if err != nil {
		return row, fmt.Errorf("end hold %s: %w", id, err)
	}
	return row, nil
}

// closed is the refusal to end a hold that has ended.
func closed(row endedHold) error {
	status := row.Status
	if status == models.HoldOpen { // its time is over, and nobody has swept it yet
		status = models.HoldExpired
	}
	return fault.New(fault.HoldClosed, map[string]any{"status": string(status)})
}

// expireSQL ends the holds of one user whose time is over.
const expireSQL = `WITH account AS MATERIALIZED (
	SELECT id FROM users WHERE id = $1::int FOR UPDATE
), late AS MATERIALIZED (
	SELECT holds.id FROM holds, account WHERE user_id = account.id AND status = 'open' AND expires_at <= now() FOR UPDATE OF holds
), ended AS (
	UPDATE holds SET status = 'expired', updated_at = now() FROM late WHERE holds.id = late.id
	RETURNING holds.credits
), moved AS (
	UPDATE users SET credits_held = credits_held - freed.credits, updated_at = now()
	FROM (SELECT sum(credits)::int AS credits FROM ended) freed WHERE users.id = $1::int AND freed.credits > 0
)
SELECT count(*) AS holds, coalesce(sum(credits), 0) AS credits FROM ended`

// Expired is what Expire gave back.
type Expired struct {
	Holds   int64
	Credits models.Credits
}

// Expire gives back what a user's holds reserve whose time is over. Any number of replicas may call it at once.
//
// Units: credits. Locks: the user, then those holds. Idempotent.
func Expire(tx *gorm.DB, userID int64) (Expired, error) {
	var e Expired
	if err := tx.Raw(expireSQL, userID).Scan(&e).Error; err != nil {
		return e, fmt.Errorf("expire the holds of user %d: %w", userID, err)
	}
	return e, nil
}
