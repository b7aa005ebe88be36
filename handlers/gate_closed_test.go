package handlers

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// While Resume Matcher lacks its add-on, each of its paths says so, in the visitor's language, and nothing of ours is
// affected.
func TestResumeMatcherIsClosedWithoutItsAddOn(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	shared, err := resumematcher.New(resumematcher.Options{Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	var protected atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if protected.Load() {
			f.matcher.ServeHTTP(w, r)
		} else {
			shared.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	upstream, err := gate.NewUpstream(server.URL, "", "not-a-secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upstream.Close)
	var passed atomic.Int64 // nanoseconds
	began := time.Now()
	f.handler.Gate.Upstream = upstream
	f.handler.Gate.AddOn = gate.NewAddOn(upstream, func() time.Time { return began.Add(time.Duration(passed.Load())) },
		slog.New(slog.DiscardHandler))

	address := f.monitored()

	const text = "Resume Matcher is closed"
	for _, c := range []struct {
		request, cookie, want string
	}{
		{"GET /dashboard", f.cookie, text}, {"GET /logo.svg", "", text}, {"GET /dashboard?_rsc=1", f.cookie, ""},
		{"GET /api/v1/health", "", `{"detail":"` + text}, {"GET /api/v1/resumes/list", f.cookie, `{"detail":"` + text},
		{"POST /api/v1/resumes/upload", f.cookie, `"code":"UNAVAILABLE"`},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		header := []string{ownOrigin}
		if c.cookie != "" {
			header = append(header, c.cookie)
		}
		r := f.call(method, path, "", header...)
		wait := r.header.Get("Retry-After")
		if r.status != http.StatusServiceUnavailable || wait == "" || wait > "5" || !strings.Contains(r.body, c.want) ||
			c.want == "" && r.body != "" || strings.Contains(r.body, server.URL) || strings.Contains(r.body, "not-a-secret") {
			t.Errorf("%s: status %d, again after %q, %s; want 503, 1 to 5 seconds and %q", c.request, r.status, wait, r.body,
				c.want)
		}
	}
	r := f.call("GET", "/logo.svg?v=2", "", "Accept-Language: de")
	if !strings.Contains(r.body, "Resume Matcher ist geschlossen") ||
		!strings.Contains(r.body, `<a id="error-retry" class="btn" data-variant="primary" href="/logo.svg?v=2"`) {
		t.Errorf("a German visitor gets %s, want German and a way to try again", r.body)
	}
	for path, want := range map[string]string{"/": "/en", "/dashboard": "/en/login?return_to=%2Fdashboard"} {
		if r := f.call("GET", path, ""); r.status != http.StatusSeeOther || r.header.Get("Location") != want {
			t.Errorf("%s signed out: status %d to %q, want 303 to %q", path, r.status, r.header.Get("Location"), want)
		}
	}
	if n := len(shared.Seen()); n != 1 {
		t.Errorf("Resume Matcher saw %d requests, want 1: the question for its add-on", n)
	}
	for _, path := range []string{"/en/billing", "/healthz", "/readyz", "/static/js/embed.js", "/api/credits/balance"} {
		if r := f.call("GET", path, "", f.cookie); r.status == http.StatusServiceUnavailable {
			t.Errorf("%s: status 503, want ours", path)
		}
	}
	f.wantCredits("while Resume Matcher is closed", 100, 0)
	series, _ := f.scrape(address)
	if n := series[`credits_gate_requests_total{outcome="closed",route="POST /api/v1/resumes/upload"}`]; n != 1 {
		t.Errorf("the metrics count %v refused uploads, want 1", n)
	}
	protected.Store(true)
	passed.Store(int64(5 * time.Second))
	if r := f.call("GET", "/dashboard", "", f.cookie); r.status != http.StatusOK {
		t.Errorf("with the add-on: status %d, want 200", r.status)
	}
}

// An upload to a closed Resume Matcher is refused before it is read, and the log says why without quoting an answer.
func TestUploadsToAClosedResumeMatcher(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, log := f.serve(transport.Slots{})
	upstream, err := gate.NewUpstream("http://127.0.0.1:9", "", "not-a-secret")
	if err != nil {
		t.Fatal(err)
	}
	f.handler.Gate.AddOn = gate.NewAddOn(upstream, time.Now, slog.New(slog.DiscardHandler))
	c := dial(t, address)
	// It writes as much as the server reads.
	go func() { _, _ = io.WriteString(c.conn, postUpload(uploadBody(4<<20), f.cookie, ownOrigin)) }()
	res, body := c.receive(http.MethodPost)
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "cannot be reached") {
		t.Errorf("status %d, %s; want 503 and why", res.StatusCode, body)
	}
	if log.count(`"level":"WARN"`, `"problem":"upstream_away"`, "connection refused") != 1 || log.count("not-a-secret") != 0 {
		t.Errorf("log %s; want the cause and no secret", log.text.String())
	}
	if in := f.handler.uploads.UnderWay(); in != 0 {
		t.Errorf("%d bytes are counted as in flight, want 0", in)
	}
}
