package stripe

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
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

// courier brings the stored events to the webhook until each is answered 2xx.
type courier struct {
	store   *store
	client  *http.Client
	url     string
	secrets []string
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

// watch returns a channel that closes when this courier has delivered the event,
// and a function to call when that is of no interest any more.
func (c *courier) watch(event string) (<-chan struct{}, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	done := make(chan struct{})
	c.watchers[event] = append(c.watchers[event], done)
	return done, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, event) // all wait for the same: who still does looks at the database
	}
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
		})
	}
}

// parcel is an event on its way.
type parcel struct {
	id, kind string
	payload  []byte
	attempts int
	backoff  int
}

// claim leases the next event that is due, nil when none is. Close does not cut it
// short: an event leased without anybody knowing would lie there until the lease ends.
func (c *courier) claim(ctx context.Context) (*parcel, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	var p parcel
	var data string
	err := c.store.db.QueryRowContext(ctx, `UPDATE stripe_sandbox.events
		SET attempts = attempts + 1, backoff = backoff + 1, leased_until = now() + make_interval(secs => $1)
		WHERE id = (SELECT id FROM stripe_sandbox.events
			WHERE delivered_at IS NULL AND next_attempt_at <= now() AND leased_until <= now() AND created_at > now() - interval '3 days'
			ORDER BY next_attempt_at, seq LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING id, type, attempts, backoff, data || '{"pending_webhooks": 1}'`, int(lease.Seconds())).
		Scan(&p.id, &p.kind, &p.attempts, &p.backoff, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claim event: %w", err)
	}
	event, err := decodeMap([]byte(data))
	if err != nil {
		return nil, err
	}
	payload, err := encode(event)
	p.payload = []byte(payload)
	return &p, err
}

// pause is the time to the next event that will be due.
func (c *courier) pause(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var ms sql.NullInt64
	err := c.store.db.QueryRowContext(ctx, `SELECT (extract(epoch FROM min(greatest(next_attempt_at, leased_until)) - now()) * 1000)::bigint
		FROM stripe_sandbox.events WHERE delivered_at IS NULL AND created_at > now() - interval '3 days'`).Scan(&ms)
	if err != nil || !ms.Valid {
		return idle
	}
	return min(idle, max(time.Duration(ms.Int64)*time.Millisecond, 10*time.Millisecond))
}

// bring makes one attempt and notes how it went.
func (c *courier) bring(ctx context.Context, p *parcel) {
	started := time.Now()
	status, err := c.post(ctx, p)
	ok := err == nil && status >= 200 && status < 300
	if e := c.note(context.WithoutCancel(ctx), p, status, ok, err); e != nil {
		c.log.Warn("stripe sandbox cannot note a delivery", "err", e, "event_id", p.id)
	}
	if ok {
		c.announce(p.id)
		return
	}
	if ctx.Err() == nil {
		c.log.Info("stripe sandbox event not accepted", "event_id", p.id, "type", p.kind, "attempt", p.attempts,
			"status", status, "err", err, "elapsed", time.Since(started).Round(time.Millisecond))
	}
}

func (c *courier) post(ctx context.Context, p *parcel) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(p.payload))
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	r.Header.Set("Cache-Control", "no-cache")
	r.Header.Set("Stripe-Signature", signature(time.Now(), p.payload, c.secrets))
	answer, err := c.client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("send event: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return answer.StatusCode, fmt.Errorf("read answer: %w", err)
	}
	return answer.StatusCode, nil
}

// signature is the Stripe-Signature header: the time, and one v1 for each secret.
func signature(now time.Time, payload []byte, secrets []string) string {
	stamp := fmt.Sprint(now.Unix())
	parts := []string{"t=" + stamp}
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(stamp + "."))
		mac.Write(payload)
		parts = append(parts, "v1="+hex.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(parts, ",")
}

// note stores the outcome. An attempt that Close cut short is due again at once.
func (c *courier) note(ctx context.Context, p *parcel, status int, ok bool, failure error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	wait := backoff[min(p.backoff, len(backoff))-1]
	var text sql.NullString
	if failure != nil {
		text = sql.NullString{String: failure.Error(), Valid: true}
		if errors.Is(failure, context.Canceled) {
			wait = 0
		}
	}
	_, err := c.store.db.ExecContext(ctx, `UPDATE stripe_sandbox.events
		SET last_status = nullif($2::int, 0), last_error = $3, leased_until = '-infinity',
			delivered_at = CASE WHEN $4 THEN now() ELSE delivered_at END,
			next_attempt_at = now() + make_interval(secs => $5)
		WHERE id = $1`, p.id, status, text, ok, wait.Seconds())
	if err != nil {
		return fmt.Errorf("note delivery: %w", err)
	}
	return nil
}
