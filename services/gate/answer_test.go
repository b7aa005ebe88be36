package gate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// behind puts the first replica in front of another Resume Matcher, whose answers name the user.
func (m *matcher) behind(answer http.HandlerFunc) {
	m.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Credits-User", r.Header.Get("X-Credits-User"))
		answer(w, r)
	}))
	m.Cleanup(server.Close)
	upstream, err := gate.NewUpstream(server.URL, "", secret)
	m.must(err)
	m.Cleanup(upstream.Close)
	m.replicas[0].Upstream = upstream
}

// A user can fill a wizard's state until its answer has more values or bytes than we read. It is not charged, so it
// must not arrive either.
func TestAnswersThatCannotBeReadDoNotArrive(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	const letter = `{"content":"Dear Ms Example"}`
	for _, c := range []struct {
		what, answer string
		taken        models.Credits
	}{
		{"too many values", `{"content":"Dear Ms Example","echo":[` + strings.Repeat("0,", 100_000) + `0]}`, 0},
		{"4 MiB and a byte", letter + strings.Repeat(" ", 4<<20+1-len(letter)), 0},
		{"4 MiB", letter + strings.Repeat(" ", 4<<20-len(letter)), 5},
	} {
		m.behind(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, c.answer)
		})
		_, text, err := m.serve(t.Context(), 0, post("/resumes/"+m.tailored+"/generate-outreach", nil))
		f := fault.Of(err)
		if refused := f != nil && f.Problem == fault.UpstreamUnusable && text == ""; refused != (c.taken == 0) ||
			!refused && text != c.answer {
			t.Errorf("%s: %d bytes, error %v; want all %d bytes, or only %s", c.what, len(text), err, len(c.answer),
				fault.UpstreamUnusable)
		}
		m.wantTaken(c.what, c.taken)
	}
	dbtest.CheckLedger(t, m.db)
}

// A user can make the model work for an answer that is not worth credits, such as a preview that changes nothing, or
// make it fail. A day has few of them, and any number of those that are paid.
func TestUnpaidAnswersAreFew(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	preview := post("/resumes/improve/preview", m.target())
	m.grant(1000)
	for _, c := range []struct {
		model         resumematcher.Model
		times, status int
	}{
		{resumematcher.Fails500, 16, http.StatusInternalServerError}, {resumematcher.Good, 45, http.StatusOK},
		{resumematcher.EmptyObject, 24, http.StatusOK},
	} {
		m.app.SetModel(c.model)
		for n := range c.times {
			if status, _, err := m.serve(t.Context(), n%2, preview); status != c.status {
				t.Fatalf("model %s, preview %d: status %d, error %v; want %d", c.model, n+1, status, err, c.status)
			}
		}
	}
	before := len(m.app.Seen())
	_, _, err := m.serve(t.Context(), 0, preview)
	if seen := len(m.app.Seen()) - before; !fault.Is(err, fault.RateLimited) || seen != 0 {
		t.Errorf("unpaid preview 41: error %v, Resume Matcher saw %d requests; want rate limited and 0", err, seen)
	}
	m.wantTaken("45 previews of 1,100 credits", 45*15-1000)
	m.app.SetModel(resumematcher.Good)
	status, _, err := m.serve(t.Context(), 0, post("/enrichment/analyze/"+m.resume, nil))
	if status != http.StatusOK {
		t.Errorf("another route: status %d, error %v; want 200", status, err)
	}
	dbtest.CheckLedger(t, m.db)
}

// Failures count as far as the model may have been asked before them.
func TestFailuresOfTheModelAreFew(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	preview, seen := post("/resumes/improve/preview", m.target()), 0
	for _, c := range []struct{ status, times int }{
		{http.StatusBadRequest, 11}, {http.StatusNotFound, 11},
		{http.StatusBadGateway, 11}, {http.StatusServiceUnavailable, 11},
		{http.StatusUnprocessableEntity, 14}, {http.StatusGatewayTimeout, 13}, {http.StatusInternalServerError, 13},
	} {
		m.behind(func(w http.ResponseWriter, _ *http.Request) { seen++; w.WriteHeader(c.status) })
		for n := range c.times {
			if status, _, err := m.serve(t.Context(), 0, preview); status != c.status {
				t.Fatalf("failure %d with status %d: status %d, error %v", n+1, c.status, status, err)
			}
		}
	}
	before := seen
	if _, _, err := m.serve(t.Context(), 0, preview); !fault.Is(err, fault.RateLimited) || seen != before {
		t.Errorf("failure 41: error %v, Resume Matcher saw %d more requests; want rate limited and 0", err, seen-before)
	}
	m.wantTaken("failures", 0)
	dbtest.CheckLedger(t, m.db)
}

// A redirect of a page stays on our host, however it is written. The API's do not pass: they name its internal host.
func TestRedirects(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	for location, want := range map[string]string{
		"/dashboard?tab=1":             "/dashboard?tab=1",
		"http://HOST/dashboard#top":    "/dashboard",
		"builder":                      "/builder",
		"":                             "",
		"//evil.example/":              "",
		"http://HOST//evil.example/":   "",
		"http://HOST/%2fevil.example/": "",
		`/\evil.example/`:              "",
		"http://evil.example/":         "",
		"https://HOST/dashboard":       "",
		"javascript:alert(1)":          "",
	} {
		m.behind(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", strings.Replace(location, "HOST", r.Host, 1))
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		rule, err := m.replicas[0].Routes.Match(http.MethodGet, "/tracker")
		m.must(err)
		answer, err := m.replicas[0].Serve(t.Context(), rule,
			gate.Request{UserID: m.user, Method: http.MethodGet, Path: "/tracker"})
		got := ""
		if err == nil {
			got = answer.Header.Get("Location")
			_ = answer.Body.Close()
		}
		if got != want || want == "" && !fault.Is(err, fault.Upstream) {
			t.Errorf("%q: redirect to %q, error %v; want %q", location, got, err, want)
		}
		if status, _, err := m.serve(t.Context(), 0, get("/resumes/list")); !fault.Is(err, fault.Upstream) {
			t.Errorf("%q, of the API: status %d, error %v; want %s", location, status, err, fault.Upstream)
		}
	}
}

// Strangers who read a static file slowly keep its connection to Resume Matcher busy. The users' requests do not wait
// for it.
func TestSlowRequestsDoNotDelayOthers(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	const many = 1100
	var arrived atomic.Int64
	release := make(chan struct{})
	m.behind(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_next/static/slow.js" {
			arrived.Add(1)
			<-release
		}
	})
	rule, err := m.replicas[0].Routes.Match(http.MethodGet, "/_next/static/slow.js")
	m.must(err)
	read := func(path routes.Path) {
		answer, err := m.replicas[0].Serve(t.Context(), rule, gate.Request{Method: http.MethodGet, Path: path})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		_ = answer.Body.Close()
	}
	var slow sync.WaitGroup
	defer slow.Wait()
	defer close(release)
	for range many {
		slow.Go(func() { read("/_next/static/slow.js") })
	}
	dbtest.Eventually(t, "all slow requests arrive", func() bool { return arrived.Load() == many })
	read("/_next/static/app.js")
}

// A use of a pass is lost to a success alone: a failure costs nothing, as with a hold.
func TestPassIsUsedUpBySuccessesAlone(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	_, _, err := m.serve(t.Context(), 1, post("/resumes/improve/preview", m.target()))
	m.must(err)
	confirm := post("/resumes/improve/confirm", m.target())
	for n := range 5 {
		m.behind(func(w http.ResponseWriter, r *http.Request) {
			if n%2 == 0 {
				hangUp(w, r)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "try again")
		})
		status, text, err := m.serve(t.Context(), 0, confirm)
		if n%2 == 0 && !fault.Is(err, fault.Upstream) || n%2 == 1 && (status != 503 || text != "try again") {
			t.Errorf("attempt %d: status %d, %q, error %v; want Resume Matcher's failure", n+1, status, text, err)
		}
	}
	m.behind(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for n := range 4 {
		status, _, err := m.serve(t.Context(), 0, confirm)
		if n < 3 && (err != nil || status != http.StatusOK) || n == 3 && !fault.Is(err, fault.Conflict) {
			t.Errorf("confirmation %d: status %d, error %v; want 200 three times, then a conflict", n+1, status, err)
		}
	}
	m.wantTaken("a preview, five failures and three confirmations", 15)
}
