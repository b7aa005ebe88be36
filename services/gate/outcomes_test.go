package gate_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// Whatever Resume Matcher refuses, on any charged route, costs nothing and reaches the browser as it came.
func TestRefusalsOfResumeMatcherAreNotCharged(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	for name, call := range m.charged() {
		for _, want := range []int{400, 404, 409, 413, 422, 429, 500, 503, 504} {
			body := fmt.Sprintf(`{"detail":"refused with %d","processing_status":"ready","content":"Dear Ms Example"}`, want)
			m.behind(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(want)
				_, _ = io.WriteString(w, body)
			})
			status, text, err := m.serve(t.Context(), 0, call.request)
			if err != nil || status != want || text != body {
				t.Errorf("%s: status %d, error %v, %s; want %d and %s", name, status, err, text, want, body)
			}
			m.wantTaken(fmt.Sprintf("%s, status %d", name, want), 0)
		}
	}
	dbtest.CheckLedger(t, m.db)
}

// The time limit ends a request on any charged route, and releases its hold.
func TestSlowChargedRoutesAreNotCharged(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	calls := m.charged()
	m.app.SetTransport(resumematcher.Hang)
	m.replicas[0].Timeout = time.Millisecond
	for name, call := range calls {
		_, _, err := m.serve(t.Context(), 0, call.request)
		if f := fault.Of(err); f == nil || f.Problem != fault.UpstreamSlow {
			t.Errorf("%s: error = %v, want %s", name, err, fault.UpstreamSlow)
		}
		m.wantTaken(name+", too slow", 0)
	}
	dbtest.CheckLedger(t, m.db)
}

// The browser's departure does not stop a request on any charged route: its result decides.
func TestBrowserThatLeavesPaysForTheResult(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	calls := m.charged()
	m.app.SetTransport(resumematcher.Slow)
	for _, model := range []resumematcher.Model{resumematcher.Fails500, resumematcher.Good} {
		for name, call := range calls {
			m.app.SetModel(model)
			ctx, leave := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() {
				_, _, err := m.serve(ctx, 0, call.request)
				served <- err
			}()
			<-m.app.Arrived()
			leave()
			if _, held := m.credits(); held != call.price {
				t.Errorf("%s: held %d credits while the request runs, want %d", name, held, call.price)
			}
			m.app.Release()
			m.must(<-served)
			taken := map[resumematcher.Model]models.Credits{resumematcher.Good: call.price}[model]
			m.wantTaken(fmt.Sprintf("%s, model %s, whose browser left", name, model), taken)
			m.refill()
		}
	}
	dbtest.CheckLedger(t, m.db)
}
