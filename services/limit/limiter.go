// Package limit bounds how often a sender may do something, counted across all replicas in the table rate_windows.
//
// A limit must not become the attack. The limiter refuses a sender who has used up a limit from memory until the window
// ends. Anonymous senders have an unlimited supply of addresses, so together they may cause a bounded number of queries
// a minute; beyond it each address is counted only in this process, and no address is refused because of the others.
package limit

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

const (
	maxWindows          = 20_000 // in memory, of about 300 bytes each
	maxAnonymousQueries = 10_000 // a minute and process, and so the rows that they insert
	queryTimeout        = 5 * time.Second
	sweepBatch          = 1000 // rows
)

// Limiter counts what senders do. Use one per process: it keeps the leased part of each limit in memory.
type Limiter struct {
	db  *gorm.DB
	now func() time.Time // of this process; windows follow the database's clock

	mu      sync.Mutex
	windows map[string]*Window
	minute  time.Time // start of the minute that queries counts
	queries int       // for anonymous senders

	flights singleflight.Group
}

// New returns the limiter of a database. now defaults to the monotonic clock of the machine.
func New(db *gorm.DB, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	return &Limiter{db: db, now: now, windows: map[string]*Window{}}
}

// Allow counts one action of a sender against a rule.
//
// Errors: fault.RateLimited with retryAfter in seconds when the limit is used up; the database's own. When the database
// is unreachable nothing is allowed: every limited action needs it anyway.
func (l *Limiter) Allow(ctx context.Context, r Rule, s Sender) error {
	wait, err := l.WindowOf(r, s).Consume(ctx, r.Count)
	if err == nil && wait == 0 && r.InAll > 0 && s.site != "" {
		wait, err = l.WindowOf(r, Sender{name: s.site, anonymous: true}).Consume(ctx, max(r.InAll/siteShare, r.Count))
	}
	if err == nil && wait == 0 && r.InAll > 0 {
		wait, err = l.WindowOf(r, Sender{name: "all"}).Consume(ctx, r.InAll)
	}
	if err == nil && wait > 0 {
		err = Exceeded(wait)
	}
	return err
}

// WindowOf returns the window that counts a sender's actions under a rule.
func (l *Limiter) WindowOf(r Rule, s Sender) *Window {
	subject, now := r.Name+":"+s.name, l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[subject]
	if w == nil {
		Evict(l.windows, maxWindows, func(old *Window) bool { return old.idle(now) })
		w = l.NewWindow(subject, r.Window)
		w.anonymous = s.anonymous
		l.windows[subject] = w
	}
	return w
}

// mayQuery counts a query for an anonymous sender and reports whether this minute has room for it.
func (l *Limiter) mayQuery(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.minute) >= time.Minute {
		l.minute, l.queries = now, 0
	}
	l.queries++
	return l.queries <= maxAnonymousQueries
}

// once runs work for all concurrent callers with the same name; a caller that gives up does not cancel it.
func (l *Limiter) once(ctx context.Context, name string, work func(context.Context) error) error {
	done := l.flights.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
		defer cancel()
		return nil, work(ctx)
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r := <-done:
		return r.Err
	}
}

// Exceeded returns the fault for a sender who must wait.
func Exceeded(wait time.Duration) error {
	return fault.New(fault.RateLimited, map[string]any{"retryAfter": max(1, int(math.Ceil(wait.Seconds())))})
}

// Sweep deletes the rows of windows that have ended, in batches, and returns how many. It skips rows that another
// replica is deleting.
func (l *Limiter) Sweep(ctx context.Context) (n int64, err error) {
	n, err = postgres.InBatches(sweepBatch, func() *gorm.DB {
		return l.db.WithContext(ctx).Exec(`DELETE FROM rate_windows WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM rate_windows WHERE ends_at < now() - interval '1 minute' LIMIT ? FOR UPDATE SKIP LOCKED))`, sweepBatch)
	})
	if err != nil {
		return n, fmt.Errorf("sweep limits: %w", err)
	}
	return n, nil
}

// Evict makes room in a map that has reached limit: it deletes the stale entries, then arbitrary ones until half the
// limit is left.
func Evict[K comparable, V any](entries map[K]V, limit int, stale func(V) bool) {
	if len(entries) < limit {
		return
	}
	for key, value := range entries {
		if stale(value) {
			delete(entries, key)
		}
	}
	for key := range entries {
		if len(entries) <= limit/2 {
			return
		}
		delete(entries, key)
	}
}
