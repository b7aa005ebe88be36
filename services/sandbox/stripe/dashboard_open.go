package stripe

import (
	"context"
	"strconv"
	"time"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// openRow is a session that waits to be paid.
type openRow struct{ ID, Time, Ends, Amount, Customer string }

func (t *txn) openSessions(ctx context.Context, p page) ([]openRow, error) {
	ids, err := delivery.Column[string](ctx, &t.Tx, `SELECT id FROM stripe_sandbox.objects
		WHERE kind = $1 AND data ->> 'status' = 'open' ORDER BY seq DESC LIMIT `+strconv.Itoa(maxRows), kindSession)
	if err != nil {
		return nil, err
	}
	var all []openRow
	for _, id := range ids {
		var cs session
		if err := t.get(ctx, id, pathParam[kindSession], &cs); err != nil {
			return nil, err
		}
		one := openRow{
			ID: id, Time: p.formatTime(time.Unix(cs.Created, 0)), Ends: p.formatTime(time.Unix(cs.ExpiresAt, 0)),
			Amount: p.money(cs.AmountTotal, cs.Currency),
		}
		if d := cs.CustomerDetails; d != nil && d.Email != nil {
			one.Customer = *d.Email
		}
		all = append(all, one)
	}
	return all, nil
}
