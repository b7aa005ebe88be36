package stripe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// settleEvents marks the events that every endpoint which listens has taken.
const settleEvents = `UPDATE stripe_sandbox.events SET delivered_at = now() WHERE delivered_at IS NULL AND ` + pendingWebhooks + ` = 0`

// delivery is one event on its way to one endpoint.
type delivery struct {
	event, endpoint string
	mode            mode
	lasting         bool
	state           string
	behind          int64
	wait            time.Duration
}

// The states of a delivery that is not done.
const (
	stateWaiting = "waiting"
	stateHeld    = "held"
	stateDropped = "dropped"
)

// dispatch sends an event that was just stored on its way to the endpoints that listen to its type.
func (t *txn) dispatch(ctx context.Context, event, kind string) error {
	listening, err := t.listeners(ctx, kind)
	if err != nil || len(listening) == 0 {
		return errors.Join(err, t.settle(ctx, event))
	}
	p, err := t.takePlan(ctx, kind)
	if err != nil {
		return err
	}
	for _, endpoint := range listening {
		if err := t.follow(ctx, p, event, endpoint); err != nil {
			return err
		}
	}
	return nil
}

// listeners are the endpoints that an event of this type goes to. Accounts that send refund.failed know it under every
// name but the one an endpoint of this version could ask for, so it goes where the other changes of a refund go.
func (t *txn) listeners(ctx context.Context, kind string) ([]string, error) {
	if kind == "refund.failed" {
		kind = "refund.updated"
	}
	return column[string](ctx, t, `SELECT id FROM stripe_sandbox.objects WHERE kind = $1 AND data ->> 'status' = $2
		AND (jsonb_exists(data -> 'enabled_events', $3) OR jsonb_exists(data -> 'enabled_events', $4)) ORDER BY seq`,
		kindEndpoint, endpointEnabled, kind, everyEvent)
}

// follow makes the deliveries of an event to one endpoint as the plan wants them.
func (t *txn) follow(ctx context.Context, p plan, event, endpoint string) error {
	d := delivery{event: event, endpoint: endpoint, mode: p.Mode, state: stateWaiting}
	copies := 1
	switch p.Mode {
	case modeDuplicate:
		copies = p.Times
	case modeShuffled:
		d.state = stateHeld
	case modeDropped:
		d.state = stateDropped
	case modeDelayed:
		d.wait = time.Duration(p.Seconds) * time.Second
	case modeWrongSecret:
		d.lasting = p.Remaining == nil
	}
	for range copies {
		id, err := t.enqueue(ctx, d)
		if err != nil {
			return err
		}
		d.behind = id
	}
	return nil
}

func (t *txn) enqueue(ctx context.Context, d delivery) (id int64, err error) {
	err = t.QueryRowContext(ctx, `INSERT INTO stripe_sandbox.deliveries (event, endpoint, mode, lasting, state, behind, created_at, next_attempt_at)
		VALUES ($1, $2, $3, $4, $5, nullif($6::bigint, 0), $7, $8) RETURNING id`,
		d.event, d.endpoint, string(d.mode), d.lasting, d.state, d.behind, t.now, t.now.Add(d.wait)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("store delivery: %w", err)
	}
	return id, nil
}

// held is how many events are held back.
func (t *txn) held(ctx context.Context) (n int, err error) {
	err = t.QueryRowContext(ctx, `SELECT count(DISTINCT event) FROM stripe_sandbox.deliveries WHERE state = 'held'`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count held events: %w", err)
	}
	return n, nil
}

// release sends the held events, to each endpoint in a random order that is not theirs, and returns how many they are.
func (t *txn) release(ctx context.Context) (int, error) {
	held, err := t.held(ctx)
	if err != nil {
		return 0, err
	}
	endpoints, err := column[string](ctx, t, `SELECT DISTINCT endpoint FROM stripe_sandbox.deliveries WHERE state = 'held'`)
	if err != nil {
		return 0, err
	}
	for _, endpoint := range endpoints {
		if err := t.releaseTo(ctx, endpoint); err != nil {
			return 0, err
		}
	}
	return held, nil
}

// releaseTo sends what is held for one endpoint, one after the other: otherwise the wire would choose the order.
func (t *txn) releaseTo(ctx context.Context, endpoint string) error {
	order, err := column[int64](ctx, t, `SELECT id FROM stripe_sandbox.deliveries WHERE state = 'held' AND endpoint = $1 ORDER BY random()`, endpoint)
	if err != nil {
		return err
	}
	if slices.IsSorted(order) {
		slices.Reverse(order)
	}
	var before int64
	for _, id := range order {
		_, err := t.ExecContext(ctx, `UPDATE stripe_sandbox.deliveries SET state = 'waiting', next_attempt_at = now(), behind = nullif($2::bigint, 0)
			WHERE id = $1`, id, before)
		if err != nil {
			return fmt.Errorf("release delivery: %w", err)
		}
		before = id
	}
	return nil
}

// settle marks one event when every endpoint has it.
func (t *txn) settle(ctx context.Context, event string) error {
	if _, err := t.ExecContext(ctx, settleEvents+` AND id = $1`, event); err != nil {
		return fmt.Errorf("settle event: %w", err)
	}
	return nil
}

// column reads the one column of a query.
func column[T any](ctx context.Context, t *txn, query string, args ...any) (_ []T, err error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read column: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []T
	for rows.Next() {
		var one T
		if err := rows.Scan(&one); err != nil {
			return nil, fmt.Errorf("read column: %w", err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read column: %w", err)
	}
	return all, nil
}
