package limit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// leases is into how many leases a limit is cut: more ask the database more often, fewer leave more with a replica that
// does not need it.
const leases = 20

// Window is what this process holds of one sender's limit, which all replicas share.
type Window struct {
	limiter  *Limiter
	subject  string // in the table
	period   time.Duration
	stranger bool
	turn     chan struct{}

	mu    sync.Mutex
	began time.Time // by the database
	until time.Time // its end, by our clock
	left  int       // leased and not taken
	taken int       // here, in this window
	spent bool      // nothing is left for anybody until then
}

// Window returns the window of a subject that its owner remembers; Of is for all others.
func (l *Limiter) Window(subject string, period time.Duration) *Window {
	return &Window{limiter: l, subject: subject, period: period, turn: make(chan struct{}, 1)}
}

// Take takes one of limit. wait is how long there is nothing to take; 0 when it was taken.
func (w *Window) Take(ctx context.Context, limit int) (wait time.Duration, err error) {
	for {
		if wait, done := w.tryTake(w.limiter.now()); done {
			return wait, nil
		}
		if err := w.limiter.once(ctx, w.subject, func(ctx context.Context) error { return w.lease(ctx, limit) }); err != nil {
			return 0, err
		}
	}
}

// Return gives back one that was taken and not used.
func (w *Window) Return() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken > 0 && w.limiter.now().Before(w.until) {
		w.left++
		w.taken--
	}
}

// Turn waits until nobody else of this sender works in this process. The caller ends its turn.
func (w *Window) Turn(ctx context.Context) (end func(), err error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case w.turn <- struct{}{}:
		return func() { <-w.turn }, nil
	}
}

// tryTake is Take without the database; done is false when that must be asked.
func (w *Window) tryTake(now time.Time) (wait time.Duration, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !now.Before(w.until):
		return 0, false
	case w.left > 0:
		w.left--
		w.taken++
		return 0, true
	case w.spent:
		return w.until.Sub(now), true
	}
	return 0, false
}

// undecided reports whether tryTake would need the database.
func (w *Window) undecided(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !now.Before(w.until) || w.left == 0 && !w.spent
}

// Over is how long it is known that nothing is left; 0 when it is not.
func (w *Window) Over() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.limiter.now(); w.spent && now.Before(w.until) {
		return w.until.Sub(now)
	}
	return 0
}

// idle reports whether a window may be forgotten: the database knows as much, and asking it is allowed.
func (w *Window) idle(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.turn) == 0 && (!w.spent || !now.Before(w.until))
}

// leaseSQL takes the next part of a window's limit, or nothing. The window is the database's, of the moment in which the
// statement began; how much of it remains is read once the row is ours, which may be a wait later.
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

// lease asks the database for the next part of limit.
func (w *Window) lease(ctx context.Context, limit int) error {
	l := w.limiter
	asked := l.now() // before the database looks at its clock, so that we never go on with a window that is over there
	if !w.undecided(asked) {
		return nil // the one before us has just asked
	}
	if w.stranger && !l.askable(asked) {
		w.count(asked, limit)
		return nil
	}
	var got struct {
		Began     time.Time
		Granted   int
		Remaining float64 // seconds
	}
	err := l.db.WithContext(ctx).Raw(leaseSQL, map[string]any{"subject": w.subject, "period": w.period.Seconds(), "part": int64(max(1, limit/leases)),
		"limit": int64(limit)}).Scan(&got).Error
	if err != nil {
		return fmt.Errorf("lease from %s: %w", w.subject, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !got.Began.Equal(w.began) {
		w.left, w.taken = 0, 0
	}
	w.began, w.until = got.Began, asked.Add(time.Duration(got.Remaining*float64(time.Second)))
	w.left += got.Granted
	w.spent = got.Granted == 0
	return nil
}

// count goes on in this process alone, with what it has not taken of the limit in this window, or with all of it in the next.
func (w *Window) count(now time.Time, limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !now.Before(w.until) {
		w.began, w.until, w.taken = time.Time{}, now.Add(w.period), 0
	}
	w.left = limit - w.taken
	w.spent = w.left <= 0
}
