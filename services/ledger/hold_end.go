package ledger

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// CaptureOp takes the credits of a hold, or fewer; the rest is available again. Held credits are promised, so a capture
// may leave a negative balance if a refund came in between.
//
// Idempotent: a repeat with the same amount gets the captured hold, with the facts of the first.
// Errors: fault.NotFound for another user's or caller's hold; fault.HoldClosed with its status when it has ended in
// another way or expired; fault.Invalid for less than one credit, or more than the hold has.
type CaptureOp struct {
	UserID  int64
	Caller  uuid.UUID // the service key that made the hold; the zero id for the user's session
	ID      uuid.UUID
	Credits *models.Credits // nil for all
	Facts   json.RawMessage // joins the metadata of the hold and its entry: a JSON object, or empty

	Held Held // the result
	outcome
}

// ReleaseOp makes the credits of a hold available again.
//
// Idempotent: a released or expired hold is returned as it is.
// Errors: fault.NotFound for another user's or caller's hold; fault.HoldClosed when it was captured.
type ReleaseOp struct {
	UserID int64
	Caller uuid.UUID // as in CaptureOp
	ID     uuid.UUID
	Facts  json.RawMessage // joins the metadata of the hold, as in CaptureOp

	Held Held // the result
	outcome
}

func (op *CaptureOp) user() int64 { return op.UserID }
func (op *ReleaseOp) user() int64 { return op.UserID }

// ending is a hold to capture or release, as the statements read it.
type ending struct {
	N       int             `json:"n"`
	ID      uuid.UUID       `json:"id"`
	UserID  int64           `json:"user_id"`
	Caller  *uuid.UUID      `json:"caller"`
	Credits *models.Credits `json:"credits"`
	Facts   json.RawMessage `json:"facts,omitempty"`
}

// endedHold is a hold that a statement has ended. N is the index of its operation.
type endedHold struct {
	N int
	models.Hold
}

// holdColumns are the columns of a hold by the names of its fields, without its status.
const holdColumns = `id, user_id, api_key_id, feature, credits, captured, transaction_id, request_hash, metadata,
	coalesce(idempotency_key, '') AS idempotency_key, coalesce(named, '') AS recipient_hash, expires_at, created_at, updated_at`

// endingsSQL starts a statement with the current time and the open holds of locked users to end, each once, and the
// metadata that each ends with.
// Locks: the holds, also those that have ended.
const endingsSQL = `WITH moment AS MATERIALIZED (
	SELECT clock_timestamp() AS now
), open AS MATERIALIZED (
	SELECT asked.n, hold.*, coalesce(asked.credits, hold.credits) AS taken, expires_at <= moment.now AS late,
		hold.metadata || coalesce(asked.facts, '{}') AS described
	FROM moment, (SELECT *, row_number() OVER (PARTITION BY id, user_id, caller ORDER BY n) AS turn
		FROM json_to_recordset($1::json) r (n int, id uuid, user_id int, caller uuid, credits int, facts jsonb)
		WHERE user_id = ANY ` + lockedSQL + `) asked
	CROSS JOIN LATERAL (SELECT * FROM holds WHERE id = asked.id LIMIT 1 FOR UPDATE) hold
	WHERE turn = 1 AND hold.user_id = asked.user_id AND api_key_id IS NOT DISTINCT FROM asked.caller AND status = 'open'
)`

// captureSQL books the entries of captures, ends the holds and updates balances and held credits.
const captureSQL = endingsSQL + `, due AS MATERIALIZED (
	SELECT nextval('credit_transactions_id_seq') AS entry_id, o.*
	FROM (SELECT * FROM open WHERE NOT late AND taken BETWEEN 1 AND credits ORDER BY n) o
), entry AS (
	INSERT INTO credit_transactions (id, user_id, delta_credits, reason, meta)
	SELECT entry_id, user_id, -taken, feature, jsonb_build_object('hold_id', id)
		|| CASE WHEN api_key_id IS NULL THEN '{}' ELSE jsonb_build_object('caller', api_key_id::text) END
		|| CASE WHEN described = '{}' THEN '{}' ELSE jsonb_build_object('metadata', described) END
	FROM due
), ended AS (
	UPDATE holds SET status = 'captured', captured = due.taken, transaction_id = due.entry_id, metadata = due.described, updated_at = now()
	FROM due WHERE holds.id = due.id RETURNING due.n, holds.*
), moved AS (
	UPDATE users SET credits_balance = credits_balance - sums.taken, credits_held = credits_held - sums.credits, updated_at = now()
	FROM (SELECT user_id, sum(taken) AS taken, sum(credits) AS credits FROM due GROUP BY user_id) sums
	WHERE users.id = sums.user_id AND users.id = ANY (ARRAY(SELECT user_id FROM due))
)
SELECT n, status, ` + holdColumns + ` FROM ended`

// releaseSQL ends the holds of releases and frees their credits. A hold that is past its time becomes expired.
const releaseSQL = endingsSQL + `, ended AS (
	UPDATE holds SET status = CASE WHEN open.late THEN 'expired' ELSE 'released' END, metadata = open.described, updated_at = now()
	FROM open WHERE holds.id = open.id RETURNING open.n, holds.*
), moved AS (
	UPDATE users SET credits_held = credits_held - sums.credits, updated_at = now()
	FROM (SELECT user_id, sum(credits) AS credits FROM ended GROUP BY user_id) sums
	WHERE users.id = sums.user_id AND users.id = ANY (ARRAY(SELECT user_id FROM ended))
)
SELECT n, status, ` + holdColumns + ` FROM ended`

// capture is the step of the captures. Locks: the holds.
func capture(all []Op) (c step, err error) {
	ops := only[*CaptureOp](all)
	if len(ops) == 0 {
		return c, nil
	}
	endings := make([]ending, len(ops))
	for n, op := range ops {
		endings[n] = ending{n, op.ID, op.UserID, nullable(op.Caller), op.Credits, op.Facts}
	}
	var rows []endedHold
	c.Statement, err = reading(captureSQL, endings, &rows)
	c.assign = func() {
		for _, row := range rows {
			ops[row.N].Held, ops[row.N].done = Held{Hold: row.Hold}, true
		}
	}
	return c, err
}

// release is the step of the releases. Locks: the holds.
func release(all []Op) (r step, err error) {
	ops := only[*ReleaseOp](all)
	if len(ops) == 0 {
		return r, nil
	}
	endings := make([]ending, len(ops))
	for n, op := range ops {
		endings[n] = ending{n, op.ID, op.UserID, nullable(op.Caller), nil, op.Facts}
	}
	var rows []endedHold
	r.Statement, err = reading(releaseSQL, endings, &rows)
	r.assign = func() {
		for _, row := range rows {
			ops[row.N].Held, ops[row.N].done = Held{Hold: row.Hold}, true
		}
	}
	return r, err
}

func (op *CaptureOp) explain(tx models.Tx) error {
	if op.Credits != nil && *op.Credits < 1 {
		return fault.Field("credits", fault.CaptureRange)
	}
	row, late, err := find(tx, op.UserID, op.Caller, op.ID)
	if err != nil {
		return err
	}
	wanted := row.Credits
	if op.Credits != nil {
		wanted = *op.Credits
	}
	switch {
	case row.Status == models.HoldCaptured && row.Captured == wanted:
		op.Held, op.done = Held{Hold: row, Replayed: true}, true
		return nil
	case row.Status != models.HoldOpen:
		return closed(row.Status)
	case late:
		return closed(models.HoldExpired)
	case wanted > row.Credits:
		return fault.Field("credits", fault.CaptureRange)
	}
	return nil
}

func (op *ReleaseOp) explain(tx models.Tx) error {
	row, _, err := find(tx, op.UserID, op.Caller, op.ID)
	switch {
	case err != nil:
		return err
	case row.Status == models.HoldOpen:
		return nil
	case row.Status == models.HoldCaptured:
		return closed(row.Status)
	}
	op.Held, op.done = Held{Hold: row, Replayed: true}, true
	return nil
}

// find returns a caller's hold, and whether it is past its time.
// Errors: fault.NotFound for another user's or caller's hold.
func find(tx models.Tx, userID int64, caller, id uuid.UUID) (models.Hold, bool, error) {
	var row struct {
		models.Hold
		Late bool
	}
	err := tx.Raw(`SELECT *, expires_at <= clock_timestamp() AS late FROM holds
		WHERE id = ? AND user_id = ? AND api_key_id IS NOT DISTINCT FROM ?`, id, userID, nullable(caller)).Take(&row).Error
	return row.Hold, row.Late, postgres.Found(err, "look up hold %s", id)
}

// closed returns the fault for a hold that has already ended.
func closed(status models.HoldStatus) error {
	return fault.New(fault.HoldClosed, map[string]any{"status": string(status)})
}

// expireSQL ends the holds of one user that are past their time.
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

// Expired is the result of Expire.
type Expired struct {
	Holds   int64
	Credits models.Credits
}

// Expire ends the user's holds that are past their time and frees their credits. Any number of replicas may call it at
// once.
//
// Units: credits. Locks: the user, then those holds. Idempotent.
func Expire(tx models.Tx, userID int64) (Expired, error) {
	var e Expired
	if err := tx.Raw(expireSQL, userID).Scan(&e).Error; err != nil {
		return e, fmt.Errorf("expire the holds of user %d: %w", userID, err)
	}
	return e, nil
}
