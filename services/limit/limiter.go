// Package limit bounds how often something may be done in a while, counted over all replicas in the table rate_windows.
//
// A limit must not become the attack. A sender who has used up a limit is refused from memory until the window ends.
// Strangers have an unlimited supply of addresses, so together they may ask the database a bounded number of times a
// minute; beyond it each address is counted in this process alone, and nobody is refused because of the others.
package limit

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/fault"
)

const (
	maxWindows     = 20_000 // remembered, of about 300 bytes
	maxStrangerAsk = 10_000 // times a minute that a process asks the database about strangers, and so rows that they make
	flightTimeout  = 5 * time.Second
	sweepBatch     = 1000 // rows
	sweepBatches   = 100  // at a time
)

// Limiter counts. Use one for the whole process: it remembers what is left for whom.
type Limiter struct {
	db  *gorm.DB
	now func() time.Time // the process's own; windows are the database's

	mu      sync.Mutex
	windows map[string]*Window
	minute  time.Time // since when asks counts
	asks    int       // about strangers

	flights singleflight.Group
}

// New returns the limiter of a database. A nil now is the machine's clock, which no change of the time of day moves.
func New(db *gorm.DB, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	return &Limiter{db: db, now: now, windows: map[string]*Window{}}
}

// Take counts one more time that a sender does something.
//
// Errors: fault.RateLimited with retryAfter in seconds when that is once too often; the database's own when it is away:
// whatever has a limit needs the database as well, so nothing is let through uncounted.
func (l *Limiter) Take(ctx context.Context, r Rule, s Sender) error {
	wait, err := l.Of(r, s).Take(ctx, r.Count)
	if err == nil && wait == 0 && r.InAll > 0 && s.site != "" {
		wait, err = l.Of(r, Sender{name: s.site, stranger: true}).Take(ctx, max(r.InAll/siteShare, r.Count))
	}
	if err == nil && wait == 0 && r.InAll > 0 {
		wait, err = l.Of(r, Sender{name: "all"}).Take(ctx, r.InAll)
	}
	if err == nil && wait > 0 {
		err = Exceeded(wait)
	}
	return err
}

// Of is what is left of a rule for a sender.
func (l *Limiter) Of(r Rule, s Sender) *Window {
	subject, now := r.Name+":"+s.name, l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[subject]
	if w == nil {
		Trim(l.windows, maxWindows, func(old *Window) bool { return old.idle(now) })
		w = l.Window(subject, r.Window)
		w.stranger = s.stranger
		l.windows[subject] = w
	}
	return w
}

// askable reports whether the database may be asked about one more stranger in this minute.
func (l *Limiter) askable(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.minute) >= time.Minute {
		l.minute, l.asks = now, 0
	}
	l.asks++
	return l.asks <= maxStrangerAsk
}

// once runs work for all who ask for it at the same time, whoever of them leaves meanwhile.
func (l *Limiter) once(ctx context.Context, name string, work func(context.Context) error) error {
	done := l.flights.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
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

// Exceeded is the answer to whoever must wait.
func Exceeded(wait time.Duration) error {
	return fault.New(fault.RateLimited, map[string]any{"retryAfter": max(1, int(math.Ceil(wait.Seconds())))})
}

// Sweep deletes the windows that are over, in batches, and says how many rows that were. It passes over those that
// another replica is deleting.
func (l *Limiter) Sweep(ctx context.Context) (n int64, err error) {
	for range sweepBatches {
		done := l.db.WithContext(ctx).Exec(`DELETE FROM rate_windows WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM rate_windows WHERE ends_at < now() - interval '1 minute' LIMIT ? FOR UPDATE SKIP LOCKED))`, sweepBatch)
		if done.Error != nil {
			return n, fmt.Errorf("sweep limits: %w", done.Error)
		}
		if n += done.RowsAffected; done.RowsAffected < sweepBatch {
			break
		}
	}
	return n, nil
}

// Trim makes room in a full map: what is of no use first, then whatever comes, down to half.
func Trim[K comparable, V any](full map[K]V, most int, useless func(V) bool) {
	if len(full) < most {
		return
	}
	for key, value := range full {
		if useless(value) {
			delete(full, key)
		}
	}
	for key := range full {
		if len(full) <= most/2 {
			return
		}
		delete(full, key)
	}
}
