package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// Op is one operation on a user's credits: *PostOp, *HoldOp, *CaptureOp or *ReleaseOp. Apply stores the result, or the
// fault that refused it, in the operation.
type Op interface {
	// Err returns the fault that refused the operation, or ErrLocked; nil when it took effect or is a replay.
	Err() error

	user() int64
	state() *outcome
	// explain finds out why the statement skipped this operation: it stores the earlier result that the operation
	// replays, or returns the fault. Any other error ends the transaction.
	explain(tx models.Tx) error
	// replayed reports that the result is an earlier request's. stands reports whether what the operation wrote was
	// committed; it waits for the user's lock.
	replayed() bool
	stands(tx models.Tx) (bool, error)
}

// outcome is the state of an operation.
type outcome struct {
	done bool
	err  error
}

// Err returns the fault that refused the operation.
func (o *outcome) Err() error      { return o.err }
func (o *outcome) state() *outcome { return o }

// ErrLocked is the error of an operation that TryApply skipped because another transaction holds the lock of its user.
var ErrLocked = errors.New("user is locked by another transaction")

// Apply applies operations on the credits of any number of users. A refused operation writes nothing and does not
// affect the others.
//
// Each kind of operation has one statement for any number of rows. The statement applies the operations that are
// certain: their key is new, and the user can afford them beside all earlier ones of the same statement. Then each
// of the others gets its error, or runs in a statement of its own.
//
// Units: credits. Locks: the users, by ascending id, then the holds that end.
// Idempotent: by caller, user and key; a repeat writes nothing and gets the first result.
// Errors: those of the database. Faults are stored in the operations: fault.NotFound for an unknown user, and those
// that the operation types name.
func Apply(tx models.Tx, ops ...Op) error { return apply(tx, "", ops) }

// TryApply is Apply without waiting for locks: it skips operations on locked users, with ErrLocked.
func TryApply(tx models.Tx, ops ...Op) error { return apply(tx, " SKIP LOCKED", ops) }

func apply(tx models.Tx, skip string, ops []Op) error {
	for _, op := range ops {
		*op.state() = outcome{}
	}
	var locked []string
	if err := execute(tx, ops, lockUsers(skip, ops, &locked)); err != nil {
		return err
	}
	locked = strings.Split(locked[0], ",")
	ready := make([]Op, 0, len(ops))
	for _, op := range ops {
		switch {
		case slices.Contains(locked, strconv.FormatInt(op.user(), 10)):
			ready = append(ready, op)
		case skip != "":
			op.state().err = ErrLocked // or an unknown user: only waiting shows which
		default:
			op.state().err = fault.Because(fault.NotFound, fault.UserUnknown)
		}
	}
	for _, op := range ready {
		if err := finish(tx, op); err != nil {
			return err
		}
	}
	return nil
}

// finish gives its result to an operation that the statement skipped. All operations before it have theirs.
func finish(tx models.Tx, op Op) error {
	for attempt := 0; !op.state().done; attempt++ {
		if attempt == 3 {
			return fmt.Errorf("%T of user %d was skipped for no known reason", op, op.user())
		}
		err := op.explain(tx)
		if fault.Of(err) != nil {
			op.state().err = err
			return nil
		}
		if err != nil || op.state().done {
			return err
		}
		// The earlier operations of the statement needed too much beside it, or its price has changed since.
		if err := execute(tx, []Op{op}); err != nil {
			return err
		}
	}
	return nil
}

// lockUsers locks the users of operations. It reads the ids that it locked, as a list, and stores the list for
// lockedSQL until the transaction ends.
// Locks: the users, by ascending id.
func lockUsers(skip string, ops []Op, locked *[]string) postgres.Statement {
	ids := make([]string, len(ops))
	for i, op := range ops {
		ids[i] = strconv.FormatInt(op.user(), 10)
	}
	return postgres.Statement{SQL: `SELECT set_config('credits.locked', coalesce(string_agg(id::text, ','), ''), true) FROM (
		SELECT id FROM users WHERE id = ANY (string_to_array(?, ',')::int[]) ORDER BY id FOR UPDATE` + skip + `) locked`,
		Args: []any{strings.Join(ids, ",")}, Read: postgres.Values(locked)}
}

// step is the statement of one kind of operation. assign gives the operations the results that it has read.
type step struct {
	postgres.Statement
	assign func()
}

// execute runs the first statements and that of each kind of operation, in one round trip. Posts and holds share their
// keys: the second statement sees the rows of the first.
func execute(tx models.Tx, ops []Op, first ...postgres.Statement) error {
	var steps []step
	for _, build := range []func([]Op) (step, error){post, hold, capture, release} {
		s, err := build(ops)
		if err != nil {
			return err
		}
		if s.assign != nil {
			steps, first = append(steps, s), append(first, s.Statement)
		}
	}
	if err := postgres.Pipeline(tx.DB, first...); err != nil {
		return fmt.Errorf("apply %d operations: %w", len(ops), err)
	}
	for _, s := range steps {
		s.assign()
	}
	return nil
}

// only returns the pending operations of one kind.
func only[O Op](ops []Op) (list []O) {
	for _, op := range ops {
		if o, ok := op.(O); ok && !op.state().done {
			list = append(list, o)
		}
	}
	return list
}

// request is an entry or a hold to create, as the statements read it.
type request struct {
	N        int            `json:"n"`
	UserID   int64          `json:"user_id"`
	Reason   models.Reason  `json:"reason"`
	Key      string         `json:"key"`
	Caller   string         `json:"caller"` // the service key's id; empty for the user's session
	Credits  models.Credits `json:"credits"`
	Overdraw bool           `json:"overdraw"`

	// EventID and Meta are for entries only.
	EventID string      `json:"event_id"`
	Meta    models.Meta `json:"meta"`

	// HoldID and the fields after it are for holds only.
	HoldID        *uuid.UUID      `json:"hold_id"`
	RequestHash   string          `json:"request_hash"`
	RecipientHash string          `json:"named"`
	Metadata      json.RawMessage `json:"metadata,omitempty"`
	TTL           int64           `json:"ttl"` // microseconds
	Until         *time.Time      `json:"until,omitempty"`
	Exclusive     string          `json:"exclusive,omitempty"`
}

// The statements read their operations as JSON, so that one prepared statement serves any number of them. The planner
// cannot know how few they are: LIMIT 1 and ANY (ARRAY …) stop it from reading whole tables. A separate statement locks
// the users before, so that these see current rows.

// availableSQL is the available credits of a user; 0 for a deleted account.
const availableSQL = `CASE WHEN deleted_at IS NULL THEN credits_balance - credits_held ELSE 0 END`

// lockedSQL are the users that lockUsers has locked. Other rows may still change, so no decision may rest on them.
const lockedSQL = `((SELECT string_to_array(current_setting('credits.locked'), ',')::int[])::int[])`

// requestsSQL starts a statement with the requests of locked users for entries and holds, each with:
//   - delta: the credits it moves; where it names none, the price of its reason as a feature, NULL if there is no price
//   - used_entry, used_hold: the row that its key created before
//   - taken: the credits that it and this user's earlier requests take; grants among those do not count, since they may
//     be refused
//   - running: the user's open hold with the same exclusive text
//   - turn: 1 for the first request with its key; exclusive_turn: 1 for the user's first with its exclusive text
const requestsSQL = `WITH request AS MATERIALIZED (
	SELECT r.*, account.*, due.*, used.*,
		sum(least(due.delta, 0)) OVER (PARTITION BY user_id ORDER BY n) AS taken,
		row_number() OVER (PARTITION BY user_id, caller, key ORDER BY n) AS turn,
		row_number() OVER (PARTITION BY user_id, exclusive ORDER BY n) AS exclusive_turn
	FROM json_to_recordset($1::json) r (n int, user_id int, reason text, key text, caller text, credits int, overdraw bool,
		event_id text, meta jsonb, hold_id uuid, request_hash text, named text, metadata jsonb, ttl bigint, until timestamptz,
		exclusive text)
	CROSS JOIN LATERAL (SELECT ` + availableSQL + ` AS available, deleted_at IS NOT NULL AS deleted FROM users WHERE id = r.user_id LIMIT 1) account
	CROSS JOIN LATERAL (SELECT coalesce(nullif(r.credits, 0),
		-(SELECT credits FROM feature_prices WHERE feature = r.reason AND active LIMIT 1)) AS delta) due
	CROSS JOIN LATERAL (SELECT
		(SELECT id FROM credit_transactions c WHERE r.key <> '' AND c.user_id = r.user_id
			AND c.meta ->> 'idempotency_key' = r.key AND coalesce(c.meta ->> 'caller', '') = r.caller LIMIT 1) AS used_entry,
		(SELECT id FROM holds h WHERE r.key <> '' AND h.user_id = r.user_id
			AND h.idempotency_key = r.key AND h.api_key_id IS NOT DISTINCT FROM nullif(r.caller, '')::uuid LIMIT 1) AS used_hold,
		(SELECT id FROM holds h WHERE h.user_id = r.user_id AND h.exclusive = r.exclusive AND h.status = 'open' LIMIT 1) AS running) used
	WHERE r.user_id = ANY ` + lockedSQL + `
)`

// certainSQL is the condition of a request that takes effect.
const certainSQL = `delta <> 0 AND (delta > 0 OR overdraw OR available + taken >= 0) AND used_entry IS NULL AND used_hold IS NULL AND (key = '' OR turn = 1)
	AND (exclusive IS NULL OR running IS NULL AND exclusive_turn = 1)`

// decided holds the facts that decide on a skipped request.
type decided struct {
	Available models.Credits
	Deleted   bool
	Delta     *models.Credits
	UsedEntry *int64
	UsedHold  *uuid.UUID
	Running   *uuid.UUID
}

// decide reads the facts about a skipped request, whose user is locked. A key that was used before is not an error
// here.
//
// Errors: fault.NotFound for a deleted account, unless the reason comes from Stripe; fault.Invalid for an unknown
// feature; fault.InProgress, before fault.InsufficientCredits.
func decide(tx models.Tx, r request) (decided, error) {
	var found []decided
	s, err := reading(requestsSQL+` SELECT available, deleted, delta, used_entry, used_hold, running FROM request`,
		[]request{r}, &found)
	if err == nil {
		err = postgres.Pipeline(tx.DB, s)
	}
	if err == nil && len(found) != 1 {
		err = errors.New("the user is not locked")
	}
	if err != nil {
		return decided{}, fmt.Errorf("explain %s of user %d: %w", r.Reason, r.UserID, err)
	}
	d := found[0]
	fromStripe := r.Reason == models.ReasonPurchase || r.Reason == models.ReasonRefund || r.Reason == models.ReasonDispute
	switch {
	case d.Deleted && !fromStripe:
		return d, fault.Because(fault.NotFound, fault.UserUnknown)
	case d.UsedEntry != nil || d.UsedHold != nil:
		return d, nil
	case d.Delta == nil:
		return d, fault.Field("feature", fault.FeatureUnknown)
	case d.Running != nil:
		return d, fault.InProgress()
	case *d.Delta < 0 && d.Available+*d.Delta < 0 && !r.Overdraw:
		return d, insufficient(-*d.Delta, d.Available)
	}
	return d, nil
}

// insufficient returns the fault for a spend that the user cannot afford.
// Units: credits.
func insufficient(required, available models.Credits) error {
	return fault.New(fault.InsufficientCredits, map[string]any{
		"required": int64(required), "available": int64(available), "missing": int64(required - available),
	})
}

// reading is a statement for requests, with the rows that it reads.
func reading[R, Row any](statement string, requests []R, rows *[]Row) (postgres.Statement, error) {
	text, err := json.Marshal(requests)
	return postgres.Statement{SQL: statement, Args: []any{string(text)}, Read: postgres.All(rows)}, err
}
