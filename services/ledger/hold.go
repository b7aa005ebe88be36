package ledger

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// HoldOp reserves the price of a feature, or a number of credits.
//
// Idempotent: by caller, user and key, for ever; a repeat gets the hold in its present state.
// Errors: as PostOp; fault.InProgress while the user has another open hold with the same Exclusive. An expired hold
// counts as open until Expire has ended it.
type HoldOp struct {
	ID            uuid.UUID // of the new hold
	UserID        int64
	Caller        uuid.UUID // the service key; the zero id for the user's session
	Feature       models.Reason
	Credits       models.Credits // 0 for the price of the feature
	TTL           time.Duration  // from when the statement runs
	Until         time.Time      // the end in place of TTL; zero for TTL
	Key           string         // idempotency key; empty for none
	RequestHash   string
	RecipientHash string          // as in models.Meta
	Metadata      json.RawMessage // a JSON object, or empty
	Exclusive     string          // at most one hold of the user with this text is open; empty for any number

	Held Held // the result
	outcome
}

// Held is a hold. Replayed reports that an earlier request brought it into this state.
type Held struct {
	models.Hold
	Replayed bool
}

func (op *HoldOp) user() int64 { return op.UserID }

func (op *HoldOp) request(n int) request {
	r := request{
		N: n, UserID: op.UserID, Reason: op.Feature, Key: op.Key, HoldID: &op.ID, Credits: -op.Credits,
		RequestHash: op.RequestHash, RecipientHash: op.RecipientHash, Metadata: op.Metadata, TTL: op.TTL.Microseconds(),
		Exclusive: op.Exclusive,
	}
	if !op.Until.IsZero() {
		r.Until = &op.Until
	}
	if op.Caller != uuid.Nil {
		r.Caller = op.Caller.String()
	}
	return r
}

// holdSQL creates the certain holds and adds their credits to the held ones. The TTL starts when the statement runs,
// not when the request began to wait for the lock.
const holdSQL = requestsSQL + `, moment AS MATERIALIZED (
	SELECT clock_timestamp() AS now
), hold AS (
	INSERT INTO holds (id, user_id, api_key_id, feature, credits, idempotency_key, request_hash, named, metadata, exclusive, expires_at, created_at, updated_at)
	SELECT hold_id, user_id, nullif(caller, '')::uuid, reason, -delta, nullif(key, ''), request_hash, nullif(named, ''), coalesce(metadata, '{}'), exclusive,
		coalesce(until, moment.now + ttl * interval '1 microsecond'), moment.now, moment.now
	FROM request, moment WHERE ` + certainSQL + `
	RETURNING id, user_id, credits, metadata, expires_at, created_at
), moved AS (
	UPDATE users SET credits_held = credits_held + due.credits, updated_at = now()
	FROM (SELECT user_id, sum(credits) AS credits FROM hold GROUP BY user_id) due WHERE users.id = due.user_id
)
SELECT n, hold.credits, hold.metadata, hold.expires_at, hold.created_at FROM request JOIN hold ON hold.id = hold_id`

// hold is the step of the holds.
func hold(all []Op) (h step, err error) {
	ops := only[*HoldOp](all)
	if len(ops) == 0 {
		return h, nil
	}
	requests := make([]request, len(ops))
	for n, op := range ops {
		requests[n] = op.request(n)
	}
	var rows []struct {
		N                    int
		Credits              models.Credits
		Metadata             json.RawMessage // in the spelling of jsonb
		ExpiresAt, CreatedAt time.Time
	}
	h.Statement, err = reading(holdSQL, requests, &rows)
	h.assign = func() {
		for _, row := range rows {
			op := ops[row.N]
			op.Held, op.done = Held{Hold: models.Hold{
				ID: op.ID, UserID: op.UserID, APIKeyID: nullable(op.Caller), Feature: op.Feature, Status: models.HoldOpen,
				IdempotencyKey: op.Key, RequestHash: op.RequestHash, RecipientHash: op.RecipientHash,
				Credits: row.Credits, Metadata: row.Metadata, ExpiresAt: row.ExpiresAt, CreatedAt: row.CreatedAt,
				UpdatedAt: row.CreatedAt,
			}}, true
		}
	}
	return h, err
}

// nullable returns a service key's id as the database stores it: NULL for the user's session.
func nullable(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func (op *HoldOp) explain(tx models.Tx) error {
	d, err := decide(tx, op.request(0))
	switch {
	case err != nil:
		return err
	case d.UsedHold != nil:
		return op.replay(tx, *d.UsedHold)
	case d.UsedEntry != nil:
		return fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return nil
}

// replay stores the hold that the key created before. Its price may have changed since.
func (op *HoldOp) replay(tx models.Tx, id uuid.UUID) error {
	var row models.Hold
	if err := tx.Raw(`SELECT * FROM holds WHERE id = ?`, id).Take(&row).Error; err != nil {
		return fmt.Errorf("read hold %s: %w", id, err)
	}
	if row.RequestHash != op.RequestHash || row.Feature != op.Feature {
		return fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	op.Held, op.done = Held{Hold: row, Replayed: true}, true
	return nil
}
