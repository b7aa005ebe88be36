package gate_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
)

// A user runs sixteen requests to the API at once, however slow they are. Others, and pages, are not affected, and each
// end makes room.
func TestRequestsAtOnce(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	var arrived atomic.Int64
	release := make(chan struct{})
	m.behind(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/api/v1/resumes/1/pdf" {
			arrived.Add(1)
			<-release
		}
	})
	var slow sync.WaitGroup
	var once sync.Once
	end := func() { once.Do(func() { close(release) }) }
	defer end()
	for range 16 {
		slow.Go(func() {
			if _, _, err := m.serve(t.Context(), 0, get("/resumes/1/pdf")); err != nil {
				t.Error(err)
			}
		})
	}
	dbtest.Eventually(t, "all slow requests arrive", func() bool { return arrived.Load() == 16 })
	for _, r := range []gate.Request{get("/resumes/1/pdf"), post("/resumes/"+m.tailored+"/generate-outreach", nil)} {
		_, _, err := m.serve(t.Context(), 0, r)
		if f := fault.Of(err); f == nil || f.Code != fault.RateLimited || f.Detail["retryAfter"] != 1 {
			t.Errorf("%s %s beyond sixteen: error = %v, want rate limited for a second", r.Method, r.Path, err)
		}
	}
	if _, _, err := m.serve(t.Context(), 0, gate.Request{Method: http.MethodGet, Path: "/dashboard"}); err != nil {
		t.Errorf("a page: %v", err)
	}
	other := *m
	other.fixture = &fixture{T: t, db: m.db, replicas: m.replicas, spend: m.spend,
		user: dbtest.User(t, m.db, "bob@example.com").ID}
	if _, _, err := other.serve(t.Context(), 0, get("/resumes/list")); err != nil {
		t.Errorf("another user: %v", err)
	}
	end()
	slow.Wait()
	dbtest.Concurrently(20, func(int) {
		_, _, err := m.serve(t.Context(), 0, get("/resumes/list"))
		if err != nil && !fault.Is(err, fault.RateLimited) {
			t.Error(err)
		}
	})
	for n := range 40 { // one after the other
		if _, _, err := m.serve(t.Context(), 0, get("/resumes/list")); err != nil {
			t.Fatalf("request %d after all have ended: %v", n, err)
		}
	}
	m.wantTaken("free and refused requests", 0)
}
