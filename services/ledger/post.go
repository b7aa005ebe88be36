package ledger

import (
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// PostOp books an entry. A Delta of 0 takes the price of the Reason as a feature.
//
// Errors: fault.InsufficientCredits when the entry takes more than is available, unless its reason may overdraw;
// fault.Conflict when the key was used for another request; fault.Invalid for an unknown or inactive feature.
type PostOp struct {
	Entry
	Posted Posted // the result
	outcome
}

func (op *PostOp) user() int64 { return op.UserID }

func (op *PostOp) request(n int) request {
	return request{
		N: n, UserID: op.UserID, Reason: op.Reason, Key: op.Meta.IdempotencyKey, Caller: op.Meta.Caller, Credits: op.Delta,
		Overdraw: op.overdraws(), EventID: op.StripeEventID, Meta: op.Meta,
	}
}

// postSQL books the certain entries and updates the balances. The database refuses to commit an entry without its
// balance.
const postSQL = requestsSQL + `, certain AS MATERIALIZED (
	SELECT nextval('credit_transactions_id_seq') AS id, r.* FROM (SELECT * FROM request WHERE ` + certainSQL + ` ORDER BY n) r
), entry AS (
	INSERT INTO credit_transactions (id, user_id, delta_credits, reason, stripe_event_id, meta)
	SELECT id, user_id, delta, reason, nullif(event_id, ''), meta FROM certain
	RETURNING id, user_id, delta_credits, balance_after, created_at
), moved AS (
	UPDATE users SET credits_balance = credits_balance + due.credits, updated_at = now()
	FROM (SELECT user_id, sum(delta_credits) AS credits FROM entry GROUP BY user_id) due WHERE users.id = due.user_id
)
SELECT n, entry.* FROM certain JOIN entry USING (id)`

// post is the step of the posts; it has no assign when there are none.
func post(all []Op) (p step, err error) {
	ops := only[*PostOp](all)
	if len(ops) == 0 {
		return p, nil
	}
	requests := make([]request, len(ops))
	for n, op := range ops {
		requests[n] = op.request(n)
	}
	var rows []struct {
		N int
		models.CreditTransaction
	}
	p.Statement, err = reading(postSQL, requests, &rows)
	p.assign = func() {
		for _, row := range rows {
			op := ops[row.N]
			entry := row.CreditTransaction
			entry.Reason, entry.Meta = op.Reason, op.Meta
			if op.StripeEventID != "" {
				entry.StripeEventID = &op.StripeEventID
			}
			op.Posted, op.done = Posted{CreditTransaction: entry}, true
		}
	}
	return p, err
}

func (op *PostOp) explain(tx models.Tx) error {
	d, err := decide(tx, op.request(0))
	switch {
	case err != nil:
		return err
	case d.UsedEntry != nil:
		return op.replay(tx, *d.UsedEntry)
	case d.UsedHold != nil:
		return fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	return nil
}

// replay stores the entry that the key booked before. Its price may have changed since.
func (op *PostOp) replay(tx models.Tx, id int64) error {
	var row models.CreditTransaction
	if err := tx.Raw(`SELECT * FROM credit_transactions WHERE id = ?`, id).Take(&row).Error; err != nil {
		return fmt.Errorf("read credit transaction %d: %w", id, err)
	}
	if row.Meta.RequestHash != op.Meta.RequestHash || row.Reason != op.Reason {
		return fault.Because(fault.Conflict, fault.KeyUsedOtherwise)
	}
	op.Posted, op.done = Posted{CreditTransaction: row, Replayed: true}, true
	return nil
}
