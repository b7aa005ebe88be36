package delivery

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// parallel bounds the deliveries under way at once. It is more than one, so that their order is as uncertain as
	// with Stripe.
	parallel = 4
	// lease bounds how long one process owns a delivery before another may try it. It is longer than answerTime.
	lease = 30 * time.Second
	// answerTime bounds the wait for an endpoint's answer.
	answerTime = 20 * time.Second
	// retry is the pause after a query that failed.
	retry = time.Second
	// idle bounds the pause between two looks at the queue. Wake and the time of the next delivery end it earlier, so it
	// matters only for what another process queued and did not live to deliver.
	idle = lease
	// poll is the pause between two looks at an event that Await waits for.
	poll = 20 * time.Millisecond
)

// backoff are the pauses after each failed attempt, Stripe's hours made short. The last one repeats until the event is
// three days old.
var backoff = []time.Duration{
	500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// Own is the address of the product's own endpoint and the secrets that sign for it: what the API knows of that
// endpoint is what the world sees.
type Own struct {
	URL     string
	Secrets []string
}

// Deliverer sends the queued events to their endpoints until each is answered 2xx.
type Deliverer struct {
	db       *sql.DB
	own      Own
	log      *slog.Logger
	client   *http.Client
	wake     chan struct{}
	slots    chan struct{}
	flying   sync.WaitGroup
	stopping chan struct{} // closed when Run ends
}

// New returns a Deliverer that reads its queue from db.
func New(db *sql.DB, own Own, log *slog.Logger) *Deliverer {
	return &Deliverer{
		db: db, own: own, log: log,
		client: &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: parallel, IdleConnTimeout: 30 * time.Second}, // no proxy
			// A redirect is a failure, as with Stripe.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		wake: make(chan struct{}, 1), slots: make(chan struct{}, parallel), stopping: make(chan struct{}),
	}
}

// Wake makes the Deliverer look for deliveries now. Call it after the commit that queued them.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Await waits until every listening endpoint has accepted the event, ctx is done or the Deliverer stops. It returns at
// once when Checkout is set to redirect first.
func (d *Deliverer) Await(ctx context.Context, event string) error {
	if p, err := loadPlan(ctx, d.db); err != nil || p.RedirectFirst {
		return err
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		var done bool
		err := d.db.QueryRowContext(ctx,
			`SELECT delivered_at IS NOT NULL FROM stripe_sandbox.events WHERE id = $1`, event).Scan(&done)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("read event: %w", err)
		}
		if done {
			return nil
		}
		select {
		case <-tick.C:
		case <-d.stopping:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// Run delivers until ctx is done, and returns when no attempt is under way any more.
func (d *Deliverer) Run(ctx context.Context) {
	defer d.client.CloseIdleConnections()
	defer d.flying.Wait()
	defer close(d.stopping)
	for ctx.Err() == nil {
		wait := d.round(ctx)
		select {
		case <-d.wake:
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// round starts an attempt at each delivery that is due, and returns the time until the next one is.
func (d *Deliverer) round(ctx context.Context) time.Duration {
	defer LogPanic(d.log)
	for {
		select {
		case d.slots <- struct{}{}:
		case <-ctx.Done():
			return retry
		}
		a, err := d.claim(ctx)
		if err != nil || a == nil {
			<-d.slots
			if err != nil && ctx.Err() == nil {
				d.log.Warn("stripe sandbox: read deliveries failed", "err", err)
				return retry
			}
			return d.untilDue(ctx)
		}
		d.flying.Go(func() {
			defer func() { <-d.slots }()
			defer LogPanic(d.log)
			d.deliver(ctx, a)
			d.Wake() // another delivery may have waited behind this one
		})
	}
}

// deliver makes one attempt and records its result.
func (d *Deliverer) deliver(ctx context.Context, a *attempt) {
	started := time.Now()
	status, err := d.send(ctx, a)
	r := result{status: status, ok: err == nil && status >= 200 && status < 300, err: err, took: time.Since(started)}
	if err := d.record(context.WithoutCancel(ctx), a, r); err != nil {
		d.log.Warn("stripe sandbox: record delivery failed", "err", err, "event_id", a.event)
	}
	if !r.ok && ctx.Err() == nil {
		d.log.Info("stripe sandbox: event not accepted", "event_id", a.event, "type", a.kind, "attempt", a.number,
			"status", status, "err", err, "elapsed", r.took.Round(time.Millisecond))
	}
}

// untilDue returns the time until the next delivery is due, idle at most.
func (d *Deliverer) untilDue(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, QueryTimeout)
	defer cancel()
	var ms sql.NullInt64
	err := d.db.QueryRowContext(ctx,
		`SELECT (extract(epoch FROM min(greatest(d.next_attempt_at, d.leased_until)) - now()) * 1000)::bigint
		`+open).Scan(&ms)
	switch {
	case err != nil:
		return retry
	case !ms.Valid:
		return idle
	}
	return min(idle, max(time.Duration(ms.Int64)*time.Millisecond, 10*time.Millisecond))
}

// LogPanic is deferred where a panic must not end the process: it logs the panic and stops it.
func LogPanic(log *slog.Logger) {
	if r := recover(); r != nil {
		log.Error("stripe sandbox: panicked", "err", r)
	}
}
