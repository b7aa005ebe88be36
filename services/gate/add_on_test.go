package gate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// changing is a Resume Matcher whose handler can be exchanged, and an AddOn with a clock that the test moves.
type changing struct {
	*testing.T
	handler atomic.Pointer[http.Handler]
	asked   atomic.Int64 // questions for the add-on
	url     string
	addOn   *gate.AddOn

	mu  sync.Mutex
	at  time.Time
	log bytes.Buffer
}

func newChanging(t *testing.T, address func(server string) string, handler http.Handler) *changing {
	t.Helper()
	c := &changing{T: t, at: time.Now()}
	c.serve(handler)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == gate.TenantPath {
			c.asked.Add(1)
		}
		(*c.handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	upstream, err := gate.NewUpstream(address(server.URL), "", secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upstream.Close)
	c.addOn = gate.NewAddOn(upstream, c.now, slog.New(slog.NewTextHandler(&c.log, nil)))
	return c
}

func same(server string) string { return server }

func (c *changing) serve(handler http.Handler) { c.handler.Store(&handler) }

func (c *changing) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *changing) wait(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// wantReady checks why a request of a new user is refused, "" for not at all, and how often Resume Matcher has been
// asked.
func (c *changing) wantReady(what string, problem fault.Problem, asked int64) {
	c.Helper()
	err := c.addOn.Ready(c.Context(), "tenant-of-"+strings.ReplaceAll(what, " ", "-"))
	f := fault.Of(err)
	switch {
	case problem == "" && err != nil, problem != "" && (f == nil || f.Code != fault.Unavailable || f.Problem != problem):
		c.Errorf("%s: error = %v, want %q", what, err, problem)
	case problem != "":
		if wait, _ := f.Detail["retryAfter"].(int); wait < 1 || wait > 5 {
			c.Errorf("%s: try again after %v, want 1 to 5 seconds", what, f.Detail["retryAfter"])
		}
	}
	if n := c.asked.Load(); n != asked {
		c.Errorf("%s: Resume Matcher was asked %d times, want %d", what, n, asked)
	}
}

func newApp(t *testing.T, options resumematcher.Options) *resumematcher.App {
	t.Helper()
	app, err := resumematcher.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Release)
	return app
}

// Resume Matcher may start later than the server, and without its add-on. The server asks at most every five seconds
// until the add-on answers, and then no more.
func TestClosedWithoutTheAddOn(t *testing.T) {
	t.Parallel()
	c := newChanging(t, same, http.HandlerFunc(hangUp))
	c.wantReady("away", fault.UpstreamAway, 1)
	c.serve(newApp(t, resumematcher.Options{Shared: true}))
	c.wantReady("within the pause", fault.UpstreamAway, 1)
	c.wait(5 * time.Second)
	c.wantReady("without the add-on", fault.AddOnMissing, 2)
	c.serve(newApp(t, resumematcher.Options{Secret: "another-secret"}))
	c.wait(5 * time.Second)
	c.wantReady("with another secret", fault.AddOnRefuses, 3)
	c.serve(newApp(t, resumematcher.Options{Secret: secret}))
	c.wait(5 * time.Second)
	c.wantReady("with the add-on", "", 4)
	c.wait(time.Hour)
	c.wantReady("an hour later", "", 4)
	for _, text := range []string{"problem=upstream_away", "problem=add_on_missing", "problem=add_on_refuses",
		"Resume Matcher is open"} {
		if strings.Count(c.log.String(), text) != 1 {
			t.Errorf("log %s; want %q once", c.log.String(), text)
		}
	}
	if text := c.log.String(); strings.Contains(text, secret) || strings.Contains(text, "tenant-of-") {
		t.Errorf("log %s; want neither the secret nor the user who asked: it is closed to all", text)
	}
}

// Every answer opens Resume Matcher or says why it is closed.
func TestAnswersForTheAddOn(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]fault.Problem{
		`200 {"version":"1","operations":[]}`: "", `200 {"version":""}`: fault.AddOnMissing, `200 <html>`: fault.AddOnMissing,
		`200 {"version":1}`: fault.AddOnMissing, `204 `: fault.AddOnMissing, `307 /elsewhere`: fault.AddOnMissing,
		`404 {"detail":"Not Found"}`: fault.AddOnMissing, `401 `: fault.AddOnRefuses, `403 `: fault.AddOnRefuses,
		`500 `: fault.UpstreamAway, `503 `: fault.UpstreamAway,
		`200 "` + strings.Repeat("x", 2<<20) + `"`: fault.AddOnMissing,
	} {
		c := newChanging(t, same, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			var status int
			code, body, _ := strings.Cut(answer, " ")
			_, _ = fmt.Sscan(code, &status)
			w.Header().Set("Location", body[:min(len(body), 20)])
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		c.wantReady(answer[:min(len(answer), 40)], want, 1)
	}
}

// Twenty requests at once ask once, and all get the answer, whether it opens Resume Matcher or not. One that leaves
// while it waits is refused.
func TestOneQuestionAtATime(t *testing.T) {
	t.Parallel()
	for want, options := range map[fault.Problem]resumematcher.Options{
		"": {Secret: secret}, fault.AddOnMissing: {Shared: true},
	} {
		app, arrived, release := newApp(t, options), make(chan struct{}), make(chan struct{})
		c := newChanging(t, same, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(arrived) // panics at a second question
			<-release
			app.ServeHTTP(w, r)
		}))
		go func() {
			<-arrived
			left, leave := context.WithCancel(t.Context())
			leave()
			if err := c.addOn.Ready(left, ""); !errors.Is(err, context.Canceled) || !fault.Is(err, fault.Unavailable) {
				t.Errorf("a request that has left: error = %v, want %s", err, fault.Unavailable)
			}
			close(release)
		}()
		dbtest.Concurrently(20, func(int) {
			err := c.addOn.Ready(t.Context(), "")
			if f := fault.Of(err); (want == "") != (err == nil) || f != nil && f.Problem != want {
				t.Errorf("error = %v, want %q", err, want)
			}
		})
		c.wantReady("then", want, 1)
	}
}

// An answer without the add-on's mark reaches no browser, and the next request asks for the add-on first. So does one
// after a restart, before anything is written to what may now be everybody's database.
func TestAddOnThatDisappears(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	c := newChanging(t, same, m.app)
	s := m.replicas[0]
	s.AddOn = c.addOn
	m.must(func() (err error) { s.Upstream, err = gate.NewUpstream(c.url, "", secret); return err }())
	t.Cleanup(func() { s.Upstream.Close() })
	list := gate.Request{Method: http.MethodGet, Path: "/api/v1/resumes/list"}
	want := func(what string, code fault.Code, problem fault.Problem, asked int64) {
		t.Helper()
		_, _, err := m.serve(t.Context(), 0, list)
		f := fault.Of(err)
		if code == "" && err != nil || code != "" && (f == nil || f.Code != code || f.Problem != problem) {
			t.Errorf("%s: error = %v, want %s %s", what, err, code, problem)
		}
		if n := c.asked.Load(); n != asked {
			t.Errorf("%s: Resume Matcher was asked %d times, want %d", what, n, asked)
		}
	}
	want("with the add-on", "", "", 1)
	want("again", "", "", 1)
	shared := newApp(t, resumematcher.Options{Shared: true})
	c.serve(shared)
	want("an answer without the mark", fault.Upstream, fault.UpstreamUnusable, 1)
	before := len(shared.Seen())
	want("the next request", fault.Unavailable, fault.AddOnMissing, 2)
	want("within the pause", fault.Unavailable, fault.AddOnMissing, 2)
	if seen := shared.Seen()[before:]; len(seen) != 1 || seen[0].User != "" {
		t.Errorf("Resume Matcher saw %d requests without its add-on, want the question alone", len(seen))
	}
	c.serve(m.app)
	c.wait(5 * time.Second)
	want("with the add-on again", "", "", 3)
	m.wantTaken("free requests", 0)
}

// Each user's Resume Matcher is asked separately, and an AddOn remembers the state of at most 1,000.
func TestOneResumeMatcherForEachUser(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	var hosts sync.Map
	c := newChanging(t, func(server string) string {
		return strings.Replace(server, "127.0.0.1", "m-"+gate.TenantMark+".localhost", 1)
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts.Store(r.Host, true)
		m.app.ServeHTTP(w, r)
	}))
	s := m.replicas[0]
	s.AddOn, s.Upstream = c.addOn, c.addOn.Upstream()
	s.Upstream.Resolve(func(string) string { return strings.TrimPrefix(c.url, "http://") })
	if err := s.Ready(t.Context(), ""); err != nil || c.asked.Load() != 0 {
		t.Errorf("before a user is known: error = %v and %d questions, want none", err, c.asked.Load())
	}
	for range 2 {
		if _, _, err := m.serve(t.Context(), 0, get("/resumes/list")); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := m.serve(t.Context(), 0, gate.Request{Method: http.MethodGet, Path: "/dashboard"}); err != nil {
		t.Error(err)
	}
	port := c.url[strings.LastIndex(c.url, ":"):]
	hosts.Range(func(host, _ any) bool {
		if want := "m-" + m.tenant + ".localhost" + port; host != want {
			t.Errorf("asked %s, want %s", host, want)
		}
		return true
	})
	if n := c.asked.Load(); n != 1 {
		t.Errorf("asked for the add-on %d times, want once", n)
	}
	c.serve(http.NotFoundHandler())
	if err := s.Ready(t.Context(), strings.Repeat("a", 26)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("before the body of a user without add-on: error = %v, want %s", err, fault.Unavailable)
	}
	for i := range 1100 {
		_ = c.addOn.Ready(t.Context(), fmt.Sprintf("%026d", i))
	}
	if n := c.addOn.Remembered(); n != 1000 {
		t.Errorf("%d Resume Matchers are remembered, want 1000", n)
	}
	var own routes.Path = "/_next/static/app.js"
	rule, err := s.Routes.Match(http.MethodGet, own)
	m.must(err)
	_, err = s.Serve(t.Context(), rule, gate.Request{Method: http.MethodGet, Path: own})
	if !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a stranger: error = %v, want %s", err, fault.Unauthenticated)
	}
}
