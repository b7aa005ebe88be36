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
	Metadata    json.RawMessage // a JSON object, or empty
}

// Held is a hold. Replayed says that an earlier request had brought it where it is.
type Held struct {
	models.Hold
	Replayed bool
}

// holdSQL is bookSQL for a hold: it locks, decides, reserves and counts the reserved credits in one round trip.
const holdSQL = `WITH account AS MATERIALIZED (
	SELECT id, credits_balance - credits_held AS available, xmin AS version FROM users WHERE id = $1::int FOR UPDATE
), request AS MATERIALIZED (
	SELECT a.id, a.available, a.version <> (SELECT xmin FROM users WHERE id = $1::int) AS stale,
		(SELECT credits FROM feature_prices WHERE feature = $2 AND active) AS price,
		CASE WHEN $3 <> '' THEN (SELECT h.id FROM holds h
			WHERE h.user_id = $1::int AND h.idempotency_key = $3 AND h.api_key_id IS NOT DISTINCT FROM $4::uuid) END AS earlier,
		$3 <> '' AND EXISTS (SELECT FROM credit_transactions t WHERE t.user_id = $1::int
			AND t.meta ->> 'idempotency_key' = $3 AND coalesce(t.meta ->> 'caller', '') = coalesce($4::uuid::text, '')) AS used_by_line
	FROM account a
), hold AS (
	INSERT INTO holds (id, user_id, api_key_id, feature, credits, idempotency_key, request_hash, metadata, expires_at)
	SELECT $5::uuid, id, $4::uuid, $2, price, nullif($3, ''), $6, $7::jsonb, now() + $8::float8 * interval '1 microsecond' FROM request
	WHERE NOT stale AND earlier IS NULL AND NOT used_by_line AND available >= price
	RETURNING id, metadata, expires_at, created_at
), counted AS (
	UPDATE users SET credits_held = credits_held + request.price, updated_at = now() FROM request, hold WHERE users.id = request.id
)
SELECT request.stale, request.earlier, request.used_by_line, request.available, request.price, hold.id IS NOT NULL, hold.metadata, hold.expires_at, hold.created_at
FROM request LEFT JOIN hold ON true`

// Hold reserves what a feature costs, in the caller's transaction.
//
// Units: credits. Locks: the user's row until the transaction ends.
// Idempotent: by owner, user and key, for ever; a repeat returns the hold as it stands now.
// Errors: as Spend.
func Hold(tx *gorm.DB, o Order) (Held, error) {
	for {
		held, stale, err := tryHold(tx, o)
		if !stale {
			return held, err
		}
	}
}

func tryHold(tx *gorm.DB, o Order) (held Held, stale bool, err error) {
	var (
		earlier          uuid.NullUUID
		usedByLine, made bool
		available        models.Credits
		price            sql.NullInt64
		expires, created sql.NullTime
		owner            = uuid.NullUUID{UUID: o.Owner, Valid: o.Owner != uuid.Nil}
		metadata         = string(o.Metadata)
		kept             []byte // as the database writes it
	)
	if metadata == "" {
		metadata = "{}"
	}
	err = tx.Raw(holdSQL, o.UserID, string(o.Feature), o.Key, owner, o.ID, o.RequestHash, metadata, o.TTL.Microseconds()).Row().
		Scan(&stale, &earlier, &usedByLine, &available, &price, &made, &kept, &expires, &created)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Held{}, false, fault.New(fault.NotFound, nil)
	case err != nil:
		return Held{}, false, fmt.Errorf("hold %s of user %d: %w", o.Feature, o.UserID, err)
	case stale:
		return Held{}, true, nil
	case earlier.Valid:
		held, err = heldBefore(tx, o, earlier.UUID)
		return held, false, err
	case usedByLine:
		return Held{}, false, fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	case !price.Valid:
		return Held{}, false, fault.Field("feature", fault.FeatureUnknown)
	case !made:
		return Held{}, false, insufficient(models.Credits(price.Int64), available)
	}
	held.Hold = models.Hold{ID: o.ID, UserID: o.UserID, Feature: o.Feature, Credits: models.Credits(price.Int64), Status: models.HoldOpen,
		IdempotencyKey: o.Key, RequestHash: o.RequestHash, Metadata: kept,
		ExpiresAt: expires.Time, CreatedAt: created.Time, UpdatedAt: created.Time}
	if owner.Valid {
		held.APIKeyID = &o.Owner
	}
	return held, false, nil
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

// captureSQL locks the hold, then its user, appends the line, ends the hold and moves balance and held credits.
const captureSQL = `WITH hold AS MATERIALIZED (
	SELECT * FROM holds WHERE id = $1::uuid AND api_key_id IS NOT DISTINCT FROM $2::uuid FOR UPDATE
), account AS MATERIALIZED (
	SELECT id FROM users WHERE id = (SELECT user_id FROM hold) FOR UPDATE
), due AS MATERIALIZED (
	SELECT hold.id, hold.user_id, hold.credits, coalesce($3::int, hold.credits) AS taken, hold.feature, hold.metadata
	FROM hold, account WHERE hold.status = 'open' AND hold.expires_at > now() AND coalesce($3::int, hold.credits) <= hold.credits
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
UNION ALL SELECT hold.*, false, hold.expires_at <= now() FROM hold WHERE NOT EXISTS (SELECT FROM ended)`

// Capture takes the held credits, or fewer; the rest is free again. It may leave a debt where a refund came in between:
// what was held was promised.
//
// Units: credits; nil takes them all. Locks: the hold, then its user.
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

// releaseSQL locks the hold, then its user, ends the hold and frees its credits. One whose time is over has expired.
const releaseSQL = `WITH hold AS MATERIALIZED (
	SELECT * FROM holds WHERE id = $1::uuid AND api_key_id IS NOT DISTINCT FROM $2::uuid FOR UPDATE
), account AS MATERIALIZED (
	SELECT id FROM users WHERE id = (SELECT user_id FROM hold) FOR UPDATE
), ended AS (
	UPDATE holds SET status = CASE WHEN hold.expires_at > now() THEN 'released' ELSE 'expired' END, updated_at = now()
	FROM hold, account WHERE holds.id = hold.id AND hold.status = 'open' RETURNING holds.*
), moved AS (
	UPDATE users SET credits_held = credits_held - ended.credits, updated_at = now() FROM ended WHERE users.id = ended.user_id
)
SELECT ended.*, true AS now, false AS late FROM ended
UNION ALL SELECT hold.*, false, false FROM hold WHERE NOT EXISTS (SELECT FROM ended)`

// Release gives the held credits back.
//
// Locks: the hold, then its user. Idempotent: a hold that was released, or has expired, is returned as it is.
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
	args := append([]any{id, uuid.NullUUID{UUID: owner, Valid: owner != uuid.Nil}}, more...)
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

// expireSQL ends the holds of one user whose time is over. One that is being captured or released is left alone.
const expireSQL = `WITH late AS MATERIALIZED (
	SELECT id FROM holds WHERE user_id = $1::int AND status = 'open' AND expires_at <= now() ORDER BY id FOR UPDATE SKIP LOCKED
), account AS MATERIALIZED (
	SELECT id FROM users WHERE id = $1::int AND EXISTS (SELECT FROM late) FOR UPDATE
), ended AS (
	UPDATE holds SET status = 'expired', updated_at = now() FROM late, account WHERE holds.id = late.id AND holds.status = 'open'
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
// Units: credits. Locks: those holds, then the user. Idempotent.
func Expire(tx *gorm.DB, userID int64) (Expired, error) {
	var e Expired
	if err := tx.Raw(expireSQL, userID).Scan(&e).Error; err != nil {
		return e, fmt.Errorf("expire the holds of user %d: %w", userID, err)
	}
	return e, nil
}
