package stripe

import (
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// parallel is how many events travel at once. More than one, so that their
	// order is no more sure than with Stripe.
	parallel = 4
	// lease is how long an event is one courier's before another may try it; it is
	// longer than answerTime.
	lease      = 30 * time.Second
	answerTime = 20 * time.Second
	// idle is how long a courier that has nothing to do waits before it looks for
	// what other replicas left behind.
	idle = time.Second
)

// backoff is the wait after each failed attempt, Stripe's hours made short; the last
// one repeats until the event is three days old.
var backoff = []time.Duration{
	500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// courier brings the stored events to their endpoints until each is answered 2xx.
type courier struct {
	store   *store
	client  *http.Client
	url     string   // of the program's own endpoint
	secrets []string // of the same
	log     *slog.Logger
	wake    chan struct{} // an event was stored
	slots   chan struct{}
	flying  sync.WaitGroup

	mu       sync.Mutex
	watchers map[string][]chan struct{} // by event
}

func newCourier(st *store, url string, secrets []string, log *slog.Logger) *courier {
	return &courier{
		store: st, url: url, secrets: secrets, log: log,
		client: &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: parallel, IdleConnTimeout: 30 * time.Second}, // no proxy
			// A redirect is a failure, as with Stripe.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		wake: make(chan struct{}, 1), slots: make(chan struct{}, parallel), watchers: map[string][]chan struct{}{},
	}
}

// nudge tells the courier that an event was committed.
func (c *courier) nudge() {
	select {
	case c.wake <- struct{}{}:
	default: // it has been told already
	}
}

// watch returns a channel that closes when this courier has delivered the event, or
// at once when Checkout shall not wait for it, and a function to call when that is of
// no interest any more.
func (c *courier) watch(event string) (<-chan struct{}, func()) {
	done := make(chan struct{})
	if c.redirectFirst() {
		close(done)
		return done, func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[event] = append(c.watchers[event], done)
	return done, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, event) // all wait for the same: who still does looks at the database
	}
}

// redirectFirst tells whether somebody set that Checkout does not wait.
func (c *courier) redirectFirst() (first bool) {
	err := c.store.read(context.Background(), func(ctx context.Context, t *txn) error {
		return t.setting(ctx, settingRedirectFirst, &first)
	})
	if err != nil {
		c.log.Warn("stripe sandbox cannot read its settings", "err", err)
	}
	return first
}

func (c *courier) announce(event string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, done := range c.watchers[event] {
		close(done)
	}
	delete(c.watchers, event)
}

// run delivers until ctx is done, and returns when nothing is under way any more.
func (c *courier) run(ctx context.Context) {
	defer c.client.CloseIdleConnections()
	defer c.flying.Wait()
	for ctx.Err() == nil {
		wait := c.round(ctx)
		select {
		case <-c.wake:
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// round sends out what is due and returns how long nothing will be.
func (c *courier) round(ctx context.Context) time.Duration {
	defer rescue(c.log)
	for {
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return idle
		}
		p, err := c.claim(ctx)
		if err != nil || p == nil {
			<-c.slots
			if err != nil && ctx.Err() == nil {
				c.log.Warn("stripe sandbox cannot read its events", "err", err)
				return idle
			}
			return c.pause(ctx)
		}
		c.flying.Go(func() {
			defer func() { <-c.slots }()
			defer rescue(c.log)
			c.bring(ctx, p)
			c.nudge() // something may have waited behind it
		})
	}
}

// bring makes one attempt and notes how it went.
func (c *courier) bring(ctx context.Context, p *parcel) {
	started := time.Now()
	status, err := c.post(ctx, p)
	took := time.Since(started)
	ok := err == nil && status >= 200 && status < 300
	complete, e := c.note(context.WithoutCancel(ctx), p, outcome{status: status, ok: ok, err: err, took: took})
	if e != nil {
		c.log.Warn("stripe sandbox cannot note a delivery", "err", e, "event_id", p.event)
	}
	if complete {
		c.announce(p.event)
	}
	if !ok && ctx.Err() == nil {
		c.log.Info("stripe sandbox event not accepted", "event_id", p.event, "type", p.kind, "attempt", p.attempts,
			"status", status, "err", err, "elapsed", took.Round(time.Millisecond))
	}
}

// pause is the time to the next delivery that will be due.
func (c *courier) pause(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var ms sql.NullInt64
	err := c.store.db.QueryRowContext(ctx, `SELECT (extract(epoch FROM min(greatest(d.next_attempt_at, d.leased_until)) - now()) * 1000)::bigint `+undone,
		endpointEnabled).Scan(&ms)
	if err != nil || !ms.Valid {
		return idle
	}
	return min(idle, max(time.Duration(ms.Int64)*time.Millisecond, 10*time.Millisecond))
}
