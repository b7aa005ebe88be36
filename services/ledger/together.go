package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Ask is one thing that is asked of a user's credits: a *Spending, *Holding, *Capturing or *Releasing.
type Ask interface {
	// Alone does it in the caller's transaction and keeps the answer. Locks: the user.
	Alone(tx *gorm.DB) error
}

// Spending asks to Spend. Posted is the answer.
type Spending struct {
	UserID  int64
	Feature models.Reason
	Meta    models.Meta
	Posted  Posted
}

// Alone is Spend.
func (a *Spending) Alone(tx *gorm.DB) (err error) {
	a.Posted, err = Spend(tx, a.UserID, a.Feature, a.Meta)
	return err
}

// Holding asks to Hold. Held is the answer.
type Holding struct {
	Order
	Held Held
}

// Alone is Hold.
func (a *Holding) Alone(tx *gorm.DB) (err error) {
	a.Held, err = Hold(tx, a.Order)
	return err
}

// Capturing asks to Capture. Held is the answer.
type Capturing struct {
	Owner, ID uuid.UUID
	Credits   *models.Credits // nil for all of them
	Held      Held
}

// Alone is Capture.
func (a *Capturing) Alone(tx *gorm.DB) (err error) {
	a.Held, err = Capture(tx, a.Owner, a.ID, a.Credits)
	return err
}

// Releasing asks to Release. Held is the answer.
type Releasing struct {
	Owner, ID uuid.UUID
	Held      Held
}

// Alone is Release.
func (a *Releasing) Alone(tx *gorm.DB) (err error) {
	a.Held, err = Release(tx, a.Owner, a.ID)
	return err
}

// LockAll locks users and returns those who are locked now: all whom there are, or with polite those whom nobody else
// keeps locked, without waiting for the others. Locks: the users, in the order of their ids.
func LockAll(tx *gorm.DB, users []int64, polite bool) ([]int64, error) {
	list := make([]string, len(users))
	for i, user := range users {
		list[i] = strconv.FormatInt(user, 10)
	}
	statement := `SELECT id FROM users WHERE id = ANY (string_to_array(?, ',')::int[]) ORDER BY id FOR UPDATE`
	if polite {
		statement += ` SKIP LOCKED`
	}
	var locked []int64
	if err := tx.Raw(statement, strings.Join(list, ",")).Scan(&locked).Error; err != nil {
		return nil, fmt.Errorf("lock %d users: %w", len(users), err)
	}
	return locked, nil
}

// Together does what is certain of several things that are asked of users whom the transaction has locked, with one
// statement for each kind of them, and says of each whether it did. What is left may be a repeat or has to be refused, or
// comes after something like that: Alone finds out.
//
// Units: credits. Locks: the holds that are captured.
func Together(tx *gorm.DB, asks []Ask) ([]bool, error) {
	done := make([]bool, len(asks))
	for _, step := range []func(*gorm.DB, []Ask, []bool) error{spendTogether, holdTogether, captureTogether} {
		if err := step(tx, asks, done); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// The statements below take their rows as JSON, so that one prepared statement serves any number of them. LIMIT 1 and
// ANY (ARRAY …) keep the planner, which does not know how few they are, from reading whole tables.

// The database sees what was committed before the users were locked, so nothing here is decided on what it was before.
// Of one user's asks only those are certain that are covered together with all before them.
const spendTogetherSQL = `WITH asked AS MATERIALIZED (
	SELECT ask.*, price.credits, account.available, sum(price.credits) OVER (PARTITION BY ask.user_id ORDER BY ask.n) AS spent
	FROM json_to_recordset($1::json) ask (n int, user_id int, reason text, key text, caller text, meta jsonb)
	CROSS JOIN LATERAL (SELECT credits_balance - credits_held AS available FROM users WHERE id = ask.user_id AND deleted_at IS NULL LIMIT 1) account
	CROSS JOIN LATERAL (SELECT credits FROM feature_prices WHERE feature = ask.reason AND active LIMIT 1) price
), chosen AS MATERIALIZED (
	SELECT nextval('credit_transactions_id_seq') AS id, certain.* FROM (SELECT * FROM asked
		WHERE spent <= available AND (key = '' OR
			(SELECT id FROM credit_transactions c WHERE c.user_id = asked.user_id
				AND meta ->> 'idempotency_key' = key AND coalesce(meta ->> 'caller', '') = caller LIMIT 1) IS NULL
			AND (SELECT id FROM holds h WHERE h.user_id = asked.user_id
				AND idempotency_key = key AND api_key_id IS NOT DISTINCT FROM nullif(caller, '')::uuid LIMIT 1) IS NULL)
		ORDER BY n) certain
), line AS (
	INSERT INTO credit_transactions (id, user_id, delta_credits, reason, meta)
	SELECT id, user_id, -credits, reason, meta FROM chosen
	RETURNING id, user_id, delta_credits, balance_after, created_at
), moved AS (
	UPDATE users SET credits_balance = credits_balance + due.credits, updated_at = now()
	FROM (SELECT user_id, sum(delta_credits) AS credits FROM line GROUP BY user_id) due WHERE users.id = due.user_id
)
SELECT n, line.* FROM chosen JOIN line USING (id)`

func spendTogether(tx *gorm.DB, asks []Ask, done []bool) error {
	type row struct {
		N      int           `json:"n"`
		UserID int64         `json:"user_id"`
		Reason models.Reason `json:"reason"`
		Key    string        `json:"key"`
		Caller string        `json:"caller"`
		Meta   models.Meta   `json:"meta"`
	}
	type keyed struct {
		user        int64
		caller, key string
	}
	var rows []row
	first := map[keyed]bool{}
	for n, ask := range asks {
		a, ok := ask.(*Spending)
		if !ok {
			continue
		}
		if k := (keyed{a.UserID, a.Meta.Caller, a.Meta.IdempotencyKey}); k.key != "" {
			if first[k] {
				continue
			}
			first[k] = true
		}
		rows = append(rows, row{n, a.UserID, a.Feature, a.Meta.IdempotencyKey, a.Meta.Caller, a.Meta})
	}
	var lines []struct {
		N int
		models.CreditTransaction
	}
	if err := askTogether(tx, spendTogetherSQL, rows, &lines); err != nil {
		return fmt.Errorf("book %d spends: %w", len(rows), err)
	}
	for _, line := range lines {
		a := asks[line.N].(*Spending)
		line.Reason, line.Meta = a.Feature, a.Meta
		a.Posted, done[line.N] = Posted{CreditTransaction: line.CreditTransaction}, true
	}
	return nil
}

const holdTogetherSQL = `WITH moment AS MATERIALIZED (
	SELECT clock_timestamp() AS now -- the users are locked: the time begins with the hold, not with the waiting
), asked AS MATERIALIZED (
	SELECT ask.*, price.credits, account.available, sum(price.credits) OVER (PARTITION BY ask.user_id ORDER BY ask.n) AS reserved
	FROM json_to_recordset($1::json) ask (n int, id uuid, user_id int, owner uuid, feature text, key text, request_hash text,
		named text, metadata jsonb, ttl bigint)
	CROSS JOIN LATERAL (SELECT credits_balance - credits_held AS available FROM users WHERE id = ask.user_id AND deleted_at IS NULL LIMIT 1) account
	CROSS JOIN LATERAL (SELECT credits FROM feature_prices WHERE feature = ask.feature AND active LIMIT 1) price
), hold AS (
	INSERT INTO holds (id, user_id, api_key_id, feature, credits, idempotency_key, request_hash, named, metadata, expires_at, created_at, updated_at)
	SELECT id, user_id, owner, feature, credits, nullif(key, ''), request_hash, nullif(named, ''), metadata,
		moment.now + ttl * interval '1 microsecond', moment.now, moment.now
	FROM asked, moment
	WHERE reserved <= available AND (key = '' OR
		(SELECT id FROM holds h WHERE h.user_id = asked.user_id
			AND idempotency_key = key AND api_key_id IS NOT DISTINCT FROM owner LIMIT 1) IS NULL
		AND (SELECT id FROM credit_transactions c WHERE c.user_id = asked.user_id
			AND meta ->> 'idempotency_key' = key AND coalesce(meta ->> 'caller', '') = coalesce(owner::text, '') LIMIT 1) IS NULL)
	RETURNING id, user_id, credits, metadata, expires_at, created_at
), moved AS (
	UPDATE users SET credits_held = credits_held + due.credits, updated_at = now()
	FROM (SELECT user_id, sum(credits) AS credits FROM hold GROUP BY user_id) due WHERE users.id = due.user_id
)
SELECT n, hold.credits, hold.metadata, hold.expires_at, hold.created_at FROM asked JOIN hold USING (id)`

func holdTogether(tx *gorm.DB, asks []Ask, done []bool) error {
	type row struct {
		N           int             `json:"n"`
		ID          uuid.UUID       `json:"id"`
		UserID      int64           `json:"user_id"`
		Owner       *uuid.UUID      `json:"owner"`
		Feature     models.Reason   `json:"feature"`
		Key         string          `json:"key"`
		RequestHash string          `json:"request_hash"`
		Named       string          `json:"named"`
		Metadata    json.RawMessage `json:"metadata"`
		TTL         int64           `json:"ttl"` // microseconds
	}
	type keyed struct {
		user  int64
		owner uuid.UUID
		key   string
	}
	var rows []row
	first := map[keyed]bool{}
	for n, ask := range asks {
		a, ok := ask.(*Holding)
		if !ok {
			continue
		}
		if k := (keyed{a.UserID, a.Owner, a.Key}); k.key != "" {
			if first[k] {
				continue
			}
			first[k] = true
		}
		rows = append(rows, row{n, a.ID, a.UserID, ownerOf(a.Owner), a.Feature, a.Key, a.RequestHash, a.Named, a.metadata(), a.TTL.Microseconds()})
	}
	var holds []struct {
		N                    int
		Credits              models.Credits
		Metadata             json.RawMessage
		ExpiresAt, CreatedAt time.Time
	}
	if err := askTogether(tx, holdTogetherSQL, rows, &holds); err != nil {
		return fmt.Errorf("make %d holds: %w", len(rows), err)
	}
	for _, h := range holds {
		a := asks[h.N].(*Holding)
		hold := a.open()
		hold.Credits, hold.Metadata, hold.ExpiresAt, hold.CreatedAt, hold.UpdatedAt = h.Credits, h.Metadata, h.ExpiresAt, h.CreatedAt, h.CreatedAt
		a.Held, done[h.N] = Held{Hold: hold}, true
	}
	return nil
}

const captureTogetherSQL = `WITH moment AS MATERIALIZED (
	SELECT clock_timestamp() AS now -- after all waiting
), due AS MATERIALIZED (
	SELECT nextval('credit_transactions_id_seq') AS line, certain.* FROM (
		SELECT ask.n, ask.owner, hold.id, user_id, hold.credits, coalesce(ask.credits, hold.credits) AS taken, feature, metadata
		FROM moment, json_to_recordset($1::json) ask (n int, id uuid, owner uuid, credits int)
		CROSS JOIN LATERAL (SELECT * FROM holds WHERE id = ask.id FOR UPDATE) hold
		WHERE api_key_id IS NOT DISTINCT FROM ask.owner AND status = 'open' AND expires_at > moment.now
			AND coalesce(ask.credits, hold.credits) BETWEEN 1 AND hold.credits
		ORDER BY ask.n) certain
), line AS (
	INSERT INTO credit_transactions (id, user_id, delta_credits, reason, meta)
	SELECT line, user_id, -taken, feature, jsonb_build_object('hold_id', id)
		|| CASE WHEN owner IS NULL THEN '{}' ELSE jsonb_build_object('caller', owner::text) END
		|| CASE WHEN metadata = '{}' THEN '{}' ELSE jsonb_build_object('metadata', metadata) END
	FROM due
), ended AS (
	UPDATE holds SET status = 'captured', captured = due.taken, transaction_id = due.line, updated_at = now()
	FROM due WHERE holds.id = due.id AND holds.id = ANY (ARRAY(SELECT id FROM due)) RETURNING due.n, holds.*
), moved AS (
	UPDATE users SET credits_balance = credits_balance - sums.taken, credits_held = credits_held - sums.credits, updated_at = now()
	FROM (SELECT user_id, sum(taken) AS taken, sum(credits) AS credits FROM due GROUP BY user_id) sums
	WHERE users.id = sums.user_id AND users.id = ANY (ARRAY(SELECT user_id FROM due))
)
SELECT * FROM ended`

func captureTogether(tx *gorm.DB, asks []Ask, done []bool) error {
	type row struct {
		N       int             `json:"n"`
		ID      uuid.UUID       `json:"id"`
		Owner   *uuid.UUID      `json:"owner"`
		Credits *models.Credits `json:"credits"`
	}
	var rows []row
	first := map[uuid.UUID]bool{}
	for n, ask := range asks {
		if a, ok := ask.(*Capturing); ok && !first[a.ID] {
			first[a.ID] = true
			rows = append(rows, row{n, a.ID, ownerOf(a.Owner), a.Credits})
		}
	}
	var holds []struct {
		N int
		models.Hold
	}
	if err := askTogether(tx, captureTogetherSQL, rows, &holds); err != nil {
		return fmt.Errorf("capture %d holds: %w", len(rows), err)
	}
	for _, h := range holds {
		asks[h.N].(*Capturing).Held, done[h.N] = Held{Hold: h.Hold}, true
	}
	return nil
}

// askTogether runs a statement for rows, and nothing for none.
func askTogether[R any](tx *gorm.DB, statement string, rows []R, answers any) error {
	if len(rows) == 0 {
		return nil
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return tx.Raw(statement, string(text)).Find(answers).Error
}
