package handlers

import (
	"sync"
	"time"
)

// Time between two lines about one kind of failure. It doubles while the failure lasts.
const (
	minFailurePause = time.Minute
	maxFailurePause = time.Hour
)

// failures bounds the lines of the log about a service that stays away. The first failure of a kind is logged at once,
// and the number of further ones with the first after a pause. The access log has a line for each.
type failures struct {
	mu    sync.Mutex
	kinds map[string]*failure
}

// failure is one kind of failure.
type failure struct {
	logged   time.Time // the last line
	pause    time.Duration
	unlogged int // failures since
}

// count counts a failure. It returns the number of this kind since the last line if another is due, and otherwise 0.
func (f *failures) count(kind string, now time.Time) (failed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kinds == nil {
		f.kinds = map[string]*failure{}
	}
	known := f.kinds[kind]
	if known == nil {
		known = &failure{}
		f.kinds[kind] = known
	}
	known.unlogged++
	since := now.Sub(known.logged)
	if since < known.pause {
		return 0
	}
	pause := min(2*known.pause, maxFailurePause)
	if since > 2*known.pause { // the service has answered in the meantime
		pause = minFailurePause
	}
	failed = known.unlogged
	*known = failure{logged: now, pause: pause}
	return failed
}
