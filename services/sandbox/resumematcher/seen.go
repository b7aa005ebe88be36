package resumematcher

import (
	"net/http"
	"slices"
)

const (
	maxSeen      = 4096     // requests remembered, the newest
	maxSeenBytes = 16 << 10 // bytes remembered of each body
)

// Request is a request as the stand-in received it.
type Request struct {
	Route  string      // method and path template, such as "POST /api/v1/resumes/{resume_id}/generate-outreach"
	Target string      // the request's target as it was sent
	User   string      // X-Credits-User, once accepted
	Header http.Header // as received; the host is in Host
	Host   string
	Body   []byte // its first 16 KiB
	Size   int    // bytes of the whole body
	Asked  int    // how often this request asked the model
}

// Seen returns the newest requests, oldest first. Requests to the control page are not among them.
func (a *App) Seen() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]Request, len(a.seen))
	for i, one := range a.seen {
		all[i] = *one
	}
	return all
}

// record remembers a request before it is served, and returns how its answer travels.
func (a *App) record(c *call) Transport {
	c.seen = &Request{
		Route: c.route, Target: c.r.RequestURI, User: c.user, Header: c.r.Header.Clone(), Host: c.r.Host,
		Body: slices.Clone(c.raw[:min(len(c.raw), maxSeenBytes)]), Size: len(c.raw),
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[c.user]++
	a.seen = append(a.seen, c.seen)
	if len(a.seen) > maxSeen {
		a.seen = slices.Delete(a.seen, 0, len(a.seen)-maxSeen)
	}
	return a.transportFor(c)
}

// end stops counting a request that record has counted.
func (a *App) end(c *call) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running[c.user]--; a.running[c.user] == 0 {
		delete(a.running, c.user)
	}
}
