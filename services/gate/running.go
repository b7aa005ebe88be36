package gate

import (
	"sync"
	"time"

	"github.com/resume-matcher/credits/services/limit"
)

// maxRunning is how many requests of one user to Resume Matcher's API a server runs at once. A PDF keeps a browser of
// Resume Matcher's busy for seconds, and costs nothing.
const maxRunning = 16

// running counts the requests that run, by user.
type running struct {
	mu sync.Mutex
	of map[int64]int
}

// begin counts a request until end is called. Pages and requests without a user are not counted.
// Errors: fault.RateLimited above maxRunning.
func (c *running) begin(r Request) (end func(), err error) {
	if r.UserID == 0 || !r.Path.InAPI() {
		return func() {}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[r.UserID] >= maxRunning {
		return nil, limit.Exceeded(time.Second)
	}
	if c.of == nil {
		c.of = map[int64]int{}
	}
	c.of[r.UserID]++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.of[r.UserID]--; c.of[r.UserID] == 0 {
			delete(c.of, r.UserID)
		}
	}), nil
}
