package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/resume-matcher/credits/services/fault"
)

// How Resume Matcher is asked for the tenant add-on.
const (
	probeTimeout   = 5 * time.Second
	probePause     = 5 * time.Second // after a probe that failed
	maxProbed      = 1000            // Resume Matchers whose state is remembered
	maxDescription = 1 << 20         // bytes
)

// TenantPath is the add-on's own route, which no rule of the table opens to browsers.
const TenantPath = "/api/v1/credits-tenant"

// Description is how the tenant add-on describes itself and the Resume Matcher that it protects.
type Description struct {
	Version       string   `json:"version"`
	ResumeMatcher string   `json:"resume_matcher"` // its version; empty if the add-on does not tell
	Frontend      string   `json:"frontend"`       // the address whose pages become PDFs; empty if it does not tell
	Operations    []string `json:"operations"`     // method and path template
}

// Describe asks a tenant's Resume Matcher for its add-on. An add-on that answers has passed its self-check.
//
// Errors: fault.Unavailable with fault.UpstreamAway, fault.AddOnMissing or fault.AddOnRefuses, and a cause for the log.
func (u *Upstream) Describe(ctx context.Context, tenant string) (found Description, err error) {
	answer, err := u.askAddOn(ctx, http.MethodGet, tenant, "")
	if err != nil {
		return found, fault.Caused(fault.Unavailable, fault.UpstreamAway, err)
	}
	defer func() { _ = answer.Body.Close() }() // only read
	switch status := answer.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return found, fault.Caused(fault.Unavailable, fault.AddOnRefuses,
			fmt.Errorf("the tenant add-on refuses the secret with status %d", status))
	case status >= http.StatusInternalServerError: // a frontend whose backend is starting
		return found, fault.Caused(fault.Unavailable, fault.UpstreamAway, fmt.Errorf("status %d of Resume Matcher", status))
	case status != http.StatusOK:
		err = fmt.Errorf("the tenant add-on is missing: status %d", status)
	case json.NewDecoder(io.LimitReader(answer.Body, maxDescription)).Decode(&found) != nil || found.Version == "":
		err = errors.New("the tenant add-on is missing: the answer does not describe one")
	default:
		return found, nil
	}
	return Description{}, fault.Caused(fault.Unavailable, fault.AddOnMissing, err)
}

// askAddOn sends a request to the add-on's own route, about a user if user is not empty. It follows no redirect, which
// would take the secret along.
func (u *Upstream) askAddOn(ctx context.Context, method, tenant, user string) (*http.Response, error) {
	target := u.origin(TenantPath, tenant)
	target.Path = TenantPath
	request, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the tenant add-on: %w", err)
	}
	request.Header.Set(u.Identity.Secret, u.secret)
	if user != "" {
		request.Header.Set(u.Identity.User, user)
	}
	answer, err := u.calls.RoundTrip(request)
	if err != nil {
		return nil, withoutBytes(ctx, err)
	}
	return answer, nil
}

// AddOn knows whether the tenant add-on works. It asks before the first request, and again after a sign that the add-on
// may have gone: never while all is well, one question at a time to each Resume Matcher, and with a pause after each
// failure. A nil AddOn asks nothing.
type AddOn struct {
	upstream *Upstream
	now      func() time.Time
	log      *slog.Logger

	mu     sync.Mutex
	states map[string]*addOnState // by tenant id; one under "" if all users have the same Resume Matcher
}

// addOnState is what AddOn knows of one Resume Matcher.
type addOnState struct {
	tenant  string // whose it is; empty if all users have the same
	works   bool
	refusal error         // why not
	due     time.Time     // when to ask next
	asking  chan struct{} // closed at the end of the running question; nil if none runs
}

// NewAddOn returns an AddOn that watches an upstream.
func NewAddOn(upstream *Upstream, now func() time.Time, log *slog.Logger) *AddOn {
	return &AddOn{upstream: upstream, now: now, log: log, states: map[string]*addOnState{}}
}

// Ready reports whether the add-on of a tenant's Resume Matcher works, and asks for it if need be.
//
// Errors: those of Describe, with retryAfter in seconds.
func (a *AddOn) Ready(ctx context.Context, tenant string) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for state := a.state(tenant); !state.works; {
		switch asking := state.asking; {
		case asking != nil:
			a.mu.Unlock()
			err := ended(ctx, asking)
			a.mu.Lock()
			if err != nil {
				return err
			}
		case a.now().Before(state.due):
			return a.refusal(state)
		default:
			state.asking = make(chan struct{})
			a.mu.Unlock()
			err := a.probe(ctx, state.tenant)
			a.mu.Lock()
			a.learn(state, err)
		}
	}
	return nil
}

// ended waits for the end of a question.
func ended(ctx context.Context, asking <-chan struct{}) error {
	select {
	case <-asking:
		return nil
	case <-ctx.Done():
		return fault.Caused(fault.Unavailable, fault.UpstreamAway, ctx.Err())
	}
}

// probe asks once. Others wait for its end, so neither the sender's departure nor a panic prevents that.
func (a *AddOn) probe(ctx context.Context, tenant string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.Caused(fault.Unavailable, fault.UpstreamAway, fmt.Errorf("panic: %T", r))
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	_, err = a.upstream.Describe(ctx, tenant)
	return err
}

// learn stores the outcome of a probe, and logs a change.
func (a *AddOn) learn(state *addOnState, err error) {
	close(state.asking)
	before := fault.Of(state.refusal)
	state.asking, state.works, state.refusal, state.due = nil, err == nil, err, a.now().Add(probePause)
	switch now := fault.Of(err); {
	case now == nil && before != nil:
		a.log.Info("Resume Matcher is open", "tenant", state.tenant)
	case now != nil && (before == nil || before.Problem != now.Problem):
		a.log.Warn("Resume Matcher is closed", "tenant", state.tenant, "problem", now.Problem, "err", err)
	}
}

// refusal is the fault of a Resume Matcher that is not asked again yet.
func (a *AddOn) refusal(state *addOnState) error {
	known := fault.Of(state.refusal)
	refusal := fault.Caused(known.Code, known.Problem, errors.Unwrap(known))
	wait := max(state.due.Sub(a.now()), time.Second)
	refusal.Detail = map[string]any{"retryAfter": int((wait + time.Second - 1) / time.Second)}
	return refusal
}

// suspect lets the next request ask for the add-on if err may mean that it has gone: Resume Matcher was away and may
// come back without it, or an answer lacked its mark. No user can close it to others by that.
func (a *AddOn) suspect(tenant string, err error) {
	var network *net.OpError
	away := errors.As(err, &network) && network.Op == "dial"
	if a == nil || !away && !errors.Is(err, errUnnamed) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if state := a.state(tenant); state.works {
		state.works, state.due = false, time.Time{}
	}
}

// state returns what is known of a tenant's Resume Matcher. If too many are known, it forgets one.
func (a *AddOn) state(tenant string) *addOnState {
	if !a.upstream.perTenant {
		tenant = ""
	}
	if known := a.states[tenant]; known != nil {
		return known
	}
	for other, known := range a.states {
		if len(a.states) < maxProbed {
			break
		}
		if known.asking == nil {
			delete(a.states, other)
		}
	}
	a.states[tenant] = &addOnState{tenant: tenant}
	return a.states[tenant]
}
