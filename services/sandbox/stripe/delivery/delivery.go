// Package delivery stores the stand-in's events and delivers them to webhook endpoints, signed and retried as Stripe
// does it. A Plan, set by hand, delivers events late, twice, out of order, wrongly signed or never, so that the
// receiver can be tested.
//
// It reads endpoints from the API's table of objects and knows nothing else of the API.
package delivery

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Schema creates the tables of events, deliveries and their settings. The schema stripe_sandbox must exist.
//
//go:embed schema.sql
var Schema string

// QueryTimeout bounds one transaction of the stand-in, waiting for a lock included.
const QueryTimeout = 15 * time.Second

// Pending is the SQL for the number of endpoints that have not accepted the event of the row "events" yet.
const Pending = `(SELECT count(DISTINCT d.endpoint) FROM stripe_sandbox.deliveries d
	WHERE d.event = events.id AND NOT EXISTS (SELECT FROM stripe_sandbox.deliveries done
		WHERE done.event = d.event AND done.endpoint = d.endpoint AND done.state = 'delivered'))`

// markDelivered sets delivered_at on the events that every listening endpoint has accepted.
const markDelivered = `UPDATE stripe_sandbox.events SET delivered_at = now()
	WHERE delivered_at IS NULL AND ` + Pending + ` = 0`

// endpoints are the webhook endpoints of the API with their secrets.
const endpoints = `(SELECT o.id, o.seq, o.data ->> 'url' AS url, o.data ->> 'status' = 'enabled' AS enabled,
		o.data -> 'enabled_events' AS types, o.data ->> 'api_version' AS version,
		hidden.data ->> 'secret' AS secret, (hidden.data ->> 'own')::boolean AS own
	FROM stripe_sandbox.objects o JOIN stripe_sandbox.objects hidden ON hidden.id = o.id || '/backstage'
	WHERE o.kind = 'webhook_endpoint')`

// The states of a delivery.
const (
	Waiting   = "waiting"
	Held      = "held"
	Dropped   = "dropped"
	Delivered = "delivered"
)

// Tx is one transaction on the stand-in's state, and the time at which it began.
type Tx struct {
	*sql.Tx
	Now time.Time
}

// item is one event on its way to one endpoint.
type item struct {
	event, endpoint string
	mode            Mode
	lasting         bool
	state           string
	behind          int64
	wait            time.Duration
}

// Resume makes every delivery that failed before due at once: the receiver was most likely restarted together with
// this process.
func (t *Tx) Resume(ctx context.Context) error {
	// A process may have ended between the two updates of record.
	if _, err := t.ExecContext(ctx, markDelivered); err != nil {
		return fmt.Errorf("mark events delivered: %w", err)
	}
	_, err := t.ExecContext(ctx, `UPDATE stripe_sandbox.deliveries SET next_attempt_at = now(), backoff = 0
		WHERE state = 'waiting' AND attempts > 0`)
	if err != nil {
		return fmt.Errorf("resume deliveries: %w", err)
	}
	return nil
}

// Emit stores an event and queues its deliveries as the plan says. The caller wakes the Deliverer after the commit.
func (t *Tx) Emit(ctx context.Context, id, kind, data string) error {
	_, err := t.ExecContext(ctx, `INSERT INTO stripe_sandbox.events (id, type, data) VALUES ($1, $2, $3)`, id, kind, data)
	if err != nil {
		return fmt.Errorf("store event: %w", err)
	}
	listening, err := t.listeners(ctx, kind)
	if err != nil {
		return err
	}
	if len(listening) == 0 {
		return t.markDelivered(ctx, id)
	}
	p, err := t.usePlan(ctx)
	if err != nil {
		return err
	}
	for _, endpoint := range listening {
		if err := t.follow(ctx, p, id, endpoint); err != nil {
			return err
		}
	}
	return nil
}

// listeners returns the enabled endpoints that subscribe to this type of event. The API version of the stand-in does
// not list refund.failed, which accounts send all the same, so endpoints with refund.updated get it.
func (t *Tx) listeners(ctx context.Context, kind string) ([]string, error) {
	if kind == "refund.failed" {
		kind = "refund.updated"
	}
	return Column[string](ctx, t, `SELECT id FROM `+endpoints+` e
		WHERE enabled AND (jsonb_exists(types, $1) OR jsonb_exists(types, '*')) ORDER BY seq`, kind)
}

// follow queues the deliveries of an event to one endpoint as the plan says.
func (t *Tx) follow(ctx context.Context, p Plan, event, endpoint string) error {
	d := item{event: event, endpoint: endpoint, mode: p.Mode, state: Waiting}
	copies := 1
	switch p.Mode {
	case Duplicate:
		copies = p.Times
	case Shuffled:
		d.state = Held
	case Drop:
		d.state = Dropped
	case Delayed:
		d.wait = time.Duration(p.Seconds) * time.Second
	case WrongSecret:
		d.lasting = p.Remaining == nil
	}
	return t.queue(ctx, d, copies)
}

// queue stores copies of a delivery, each behind the one before it.
func (t *Tx) queue(ctx context.Context, d item, copies int) error {
	for range copies {
		err := t.QueryRowContext(ctx, `INSERT INTO stripe_sandbox.deliveries
				(event, endpoint, mode, lasting, state, behind, created_at, next_attempt_at)
			VALUES ($1, $2, $3, $4, $5, nullif($6::bigint, 0), $7, $8) RETURNING id`,
			d.event, d.endpoint, string(d.mode), d.lasting, d.state, d.behind, t.Now, t.Now.Add(d.wait)).Scan(&d.behind)
		if err != nil {
			return fmt.Errorf("store delivery: %w", err)
		}
	}
	return nil
}

// Receivers returns the endpoints that an event was meant for, or else those that listen to its type now.
// Errors: sql.ErrNoRows when there is no such event.
func (t *Tx) Receivers(ctx context.Context, event string) ([]string, error) {
	var kind string
	err := t.QueryRowContext(ctx, `SELECT type FROM stripe_sandbox.events WHERE id = $1`, event).Scan(&kind)
	if err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	meant, err := Column[string](ctx, t, `SELECT DISTINCT d.endpoint FROM stripe_sandbox.deliveries d
		JOIN `+endpoints+` e ON e.id = d.endpoint WHERE d.event = $1`, event)
	if err != nil || len(meant) > 0 {
		return meant, err
	}
	return t.listeners(ctx, kind)
}

// Redeliver queues an event again for these endpoints, whatever the plan says.
func (t *Tx) Redeliver(ctx context.Context, event string, receivers []string, times int) error {
	for _, endpoint := range receivers {
		if err := t.queue(ctx, item{event: event, endpoint: endpoint, mode: Normal, state: Waiting}, times); err != nil {
			return err
		}
	}
	return nil
}

// CountHeld returns the number of events that are held back.
func (t *Tx) CountHeld(ctx context.Context) (n int, err error) {
	const count = `SELECT count(DISTINCT event) FROM stripe_sandbox.deliveries WHERE state = 'held'`
	err = t.QueryRowContext(ctx, count).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count held events: %w", err)
	}
	return n, nil
}

// Release queues the held events, for each endpoint in a random order other than their own, and returns their number.
func (t *Tx) Release(ctx context.Context) (int, error) {
	held, err := t.CountHeld(ctx)
	if err != nil {
		return 0, err
	}
	receivers, err := Column[string](ctx, t,
		`SELECT DISTINCT endpoint FROM stripe_sandbox.deliveries WHERE state = 'held'`)
	if err != nil {
		return 0, err
	}
	for _, endpoint := range receivers {
		if err := t.releaseTo(ctx, endpoint); err != nil {
			return 0, err
		}
	}
	return held, nil
}

// releaseTo queues the held deliveries for one endpoint one behind the other, so that the network cannot reorder them.
func (t *Tx) releaseTo(ctx context.Context, endpoint string) error {
	order, err := Column[int64](ctx, t, `SELECT id FROM stripe_sandbox.deliveries
		WHERE state = 'held' AND endpoint = $1 ORDER BY random()`, endpoint)
	if err != nil {
		return err
	}
	if slices.IsSorted(order) {
		slices.Reverse(order)
	}
	var before int64
	for _, id := range order {
		_, err := t.ExecContext(ctx, `UPDATE stripe_sandbox.deliveries
			SET state = 'waiting', next_attempt_at = now(), behind = nullif($2::bigint, 0) WHERE id = $1`, id, before)
		if err != nil {
			return fmt.Errorf("release delivery: %w", err)
		}
		before = id
	}
	return nil
}

// Cancel deletes the open deliveries to an endpoint that is gone.
func (t *Tx) Cancel(ctx context.Context, endpoint string) error {
	_, err := t.ExecContext(ctx, `DELETE FROM stripe_sandbox.deliveries
		WHERE endpoint = $1 AND state <> 'delivered'`, endpoint)
	if err != nil {
		return fmt.Errorf("delete deliveries: %w", err)
	}
	if _, err := t.ExecContext(ctx, markDelivered); err != nil {
		return fmt.Errorf("mark events delivered: %w", err)
	}
	return nil
}

// markDelivered marks one event if every listening endpoint has accepted it.
func (t *Tx) markDelivered(ctx context.Context, event string) error {
	if _, err := t.ExecContext(ctx, markDelivered+` AND id = $1`, event); err != nil {
		return fmt.Errorf("mark event delivered: %w", err)
	}
	return nil
}

// Column returns the only column of a query.
func Column[T any](ctx context.Context, t *Tx, query string, args ...any) ([]T, error) {
	return Collect(ctx, t, func(rows *sql.Rows, one *T) error { return rows.Scan(one) }, query, args...)
}

// Collect returns the rows of a query, each read by scan.
func Collect[T any](
	ctx context.Context, t *Tx, scan func(*sql.Rows, *T) error, query string, args ...any,
) (_ []T, err error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all := []T{}
	for rows.Next() {
		var one T
		if err := scan(rows, &one); err != nil {
			return nil, fmt.Errorf("read rows: %w", err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	return all, nil
}
