package auth

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/resume-matcher/credits/services/fault"
)

// leases is into how many leases a limit is cut: more ask the database more often, fewer leave more with a replica that
// does not need it.
const leases = 20

// window is what this process holds of a limit per minute that all replicas share.
type window struct {
	subject string // in the table

	mu     sync.Mutex
	minute time.Time // the database's
	until  time.Time // its end, by our clock
	left   int       // leased and not taken
	spent  bool      // nothing is left for anybody until then
}

// take takes one of limit. wait is how long there is nothing to take; 0 when it was taken.
func (w *window) take(ctx context.Context, k *Keys, limit int) (wait time.Duration, err error) {
	for {
		if wait, done := w.tryTake(k.now()); done {
			return wait, nil
		}
		if _, err := k.once(ctx, w.subject, func(ctx context.Context) (any, error) { return nil, w.lease(ctx, k, limit) }); err != nil {
			return 0, err
		}
	}
}

// tryTake is take without the database; done is false when that must be asked.
func (w *window) tryTake(now time.Time) (wait time.Duration, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !now.Before(w.until):
		return 0, false
	case w.left > 0:
		w.left--
		return 0, true
	case w.spent:
		return w.until.Sub(now), true
	}
	return 0, false
}

// undecided reports whether tryTake would need the database.
func (w *window) undecided(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !now.Before(w.until) || w.left == 0 && !w.spent
}

// over is how long it is known that nothing is left; 0 when it is not.
func (w *window) over(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spent && now.Before(w.until) {
		return w.until.Sub(now)
	}
	return 0
}

// leaseSQL takes the next part of a minute's limit, or nothing. The minute is the database's, of the moment in which
// the statement began; how much of it remains is read once the row is ours, which may be a wait later.
const leaseSQL = `WITH clock AS MATERIALIZED (
	SELECT date_trunc('minute', clock_timestamp()) AS minute, cast(@part AS integer) AS part, cast(@limit AS integer) AS most),
leased AS (
	INSERT INTO rate_windows AS w (subject, minute, taken, granted)
	SELECT cast(@subject AS text), minute, least(part, most), least(part, most) FROM clock
	ON CONFLICT ON CONSTRAINT rate_windows_pkey DO UPDATE SET granted = least(cast(@part AS integer), cast(@limit AS integer) - w.taken),
		taken = w.taken + least(cast(@part AS integer), cast(@limit AS integer) - w.taken) WHERE w.taken < cast(@limit AS integer)
	RETURNING granted, 60 - extract(epoch FROM clock_timestamp() - minute)::float8 AS remaining)
SELECT clock.minute, coalesce(leased.granted, 0) AS granted,
	coalesce(leased.remaining, 60 - extract(epoch FROM clock_timestamp() - clock.minute)::float8) AS remaining
FROM clock LEFT JOIN leased ON true`

// lease asks the database for the next part of limit.
func (w *window) lease(ctx context.Context, k *Keys, limit int) error {
	asked := k.now() // before the database looks at its clock, so that we never go on with a minute that is over there
	if !w.undecided(asked) {
		return nil // the one before us has just asked
	}
	var got struct {
		Minute    time.Time
		Granted   int
		Remaining float64 // seconds
	}
	err := k.db.WithContext(ctx).Raw(leaseSQL, map[string]any{"subject": w.subject, "part": int64(max(1, limit/leases)), "limit": int64(limit)}).Scan(&got).Error
	if err != nil {
		return fmt.Errorf("lease from %s: %w", w.subject, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !got.Minute.Equal(w.minute) {
		w.left = 0
	}
	w.minute, w.until = got.Minute, asked.Add(time.Duration(got.Remaining*float64(time.Second)))
	w.left += got.Granted
	w.spent = got.Granted == 0
	return nil
}

// limited is the answer to whoever must wait.
func limited(wait time.Duration) error {
	return fault.New(fault.RateLimited, map[string]any{"retryAfter": max(1, int(math.Ceil(wait.Seconds())))})
}
