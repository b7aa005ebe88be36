package limit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// leases is how many leases a limit is split into. More leases mean more queries; fewer leave more of the limit with a
// replica that does not use it.
const leases = 20

// Window is this process's lease of one sender's limit, which all replicas share.
type Window struct {
	limiter   *Limiter
	subject   string // in the table
	period    time.Duration
	anonymous bool
	locked    chan struct{} // holds a value while Lock is held

	mu        sync.Mutex
	began     time.Time // by the database's clock
	until     time.Time // the end, by this process's clock
	left      int       // leased and not consumed
	consumed  int       // by this process, in this window
	exhausted bool      // the whole limit is consumed or leased
}

// NewWindow returns a window that the caller keeps. WindowOf returns one that the limiter keeps.
func (l *Limiter) NewWindow(subject string, period time.Duration) *Window {
	return &Window{limiter: l, subject: subject, period: period, locked: make(chan struct{}, 1)}
}

// Consume counts one action against limit. wait is 0 when it was counted, else the time until the window ends.
func (w *Window) Consume(ctx context.Context, limit int) (wait time.Duration, err error) {
	for {
		if wait, done := w.tryConsume(w.limiter.now()); done {
			return wait, nil
		}
		if err := w.limiter.once(ctx, w.subject, func(ctx context.Context) error { return w.lease(ctx, limit) }); err != nil {
			return 0, err
		}
	}
}

// Restore takes back one Consume, for an action that did not happen.
func (w *Window) Restore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.consumed > 0 && w.limiter.now().Before(w.until) {
		w.left++
		w.consumed--
	}
}

// Lock waits until no other goroutine of this process holds the window's lock.
func (w *Window) Lock(ctx context.Context) (unlock func(), err error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case w.locked <- struct{}{}:
		return func() { <-w.locked }, nil
	}
}

// tryConsume is Consume from memory. done is false when only the database knows.
func (w *Window) tryConsume(now time.Time) (wait time.Duration, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !now.Before(w.until):
		return 0, false
	case w.left > 0:
		w.left--
		w.consumed++
		return 0, true
	case w.exhausted:
		return w.until.Sub(now), true
	}
	return 0, false
}

// undecided reports whether tryConsume would need the database.
func (w *Window) undecided(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !now.Before(w.until) || w.left == 0 && !w.exhausted
}

// RetryAfter returns the time until the window ends when the limit is known to be used up, else 0.
func (w *Window) RetryAfter() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.limiter.now(); w.exhausted && now.Before(w.until) {
		return w.until.Sub(now)
	}
	return 0
}

// idle reports whether a window may be evicted: it is unlocked, and it refuses no sender that the database would have
// to be asked about instead.
func (w *Window) idle(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.locked) == 0 && (!w.exhausted || !now.Before(w.until))
}

// leaseSQL leases the next part of a window's limit, or nothing. The database's clock picks the window when the
// statement starts; the time that remains is read once the row is locked, which may be later.
const leaseSQL = `WITH clock AS MATERIALIZED (
	SELECT date_bin(make_interval(secs => cast(@period AS float8)), clock_timestamp(), timestamptz 'epoch') AS began, make_interval(secs => cast(@period AS float8)) AS period,
		cast(@part AS integer) AS part, cast(@limit AS integer) AS most),
leased AS (
	INSERT INTO rate_windows AS w (subject, minute, taken, granted, ends_at)
	SELECT cast(@subject AS text), began, least(part, most), least(part, most), began + period FROM clock
	ON CONFLICT ON CONSTRAINT rate_windows_pkey DO UPDATE SET granted = least(cast(@part AS integer), cast(@limit AS integer) - w.taken),
		taken = w.taken + least(cast(@part AS integer), cast(@limit AS integer) - w.taken) WHERE w.taken < cast(@limit AS integer)
	RETURNING granted, extract(epoch FROM ends_at - clock_timestamp())::float8 AS remaining)
SELECT clock.began, coalesce(leased.granted, 0) AS granted,
	coalesce(leased.remaining, extract(epoch FROM clock.began + clock.period - clock_timestamp())::float8) AS remaining
FROM clock LEFT JOIN leased ON true`

// lease gets the next part of limit from the database.
func (w *Window) lease(ctx context.Context, limit int) error {
	l := w.limiter
	asked := l.now() // before the database reads its clock, so that no window outlives the database's
	if !w.undecided(asked) {
		return nil // another caller has just leased
	}
	if w.anonymous && !l.mayQuery(asked) {
		w.countLocally(asked, limit)
		return nil
	}
	var got struct {
		Began     time.Time
		Granted   int
		Remaining float64 // seconds
	}
	err := l.db.WithContext(ctx).Raw(leaseSQL, map[string]any{"subject": w.subject, "period": w.period.Seconds(),
		"part":  int64(max(1, limit/leases)),
		"limit": int64(limit)}).Scan(&got).Error
	if err != nil {
		return fmt.Errorf("lease from %s: %w", w.subject, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !got.Began.Equal(w.began) {
		w.left, w.consumed = 0, 0
	}
	w.began, w.until = got.Began, asked.Add(time.Duration(got.Remaining*float64(time.Second)))
	w.left += got.Granted
	w.exhausted = got.Granted == 0
	return nil
}

// countLocally counts only in this process: what it has not consumed of the limit in this window, or all of it in the
// next.
func (w *Window) countLocally(now time.Time, limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !now.Before(w.until) {
		w.began, w.until, w.consumed = time.Time{}, now.Add(w.period), 0
	}
	w.left = limit - w.consumed
	w.exhausted = w.left <= 0
}
