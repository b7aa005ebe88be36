package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// Every charged route takes its price for a good answer, and nothing if the model or the connection fails.
func TestChargedRoutes(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	calls := m.charged()
	for _, rule := range m.replicas[0].Routes.Rules() {
		if rule.Kind == routes.Charged && calls[rule.Name()].price == 0 {
			t.Errorf("%s has no case", rule.Name())
		}
	}
	for name, call := range calls {
		status, text, err := m.serve(t.Context(), 0, call.request)
		if err != nil || status != http.StatusOK {
			t.Errorf("%s: status %d, error %v, %s", name, status, err, text)
		}
		m.wantTaken(name, call.price)
		m.refill()
		m.exec(`DELETE FROM gate_passes`)
	}
	for _, model := range resumematcher.Models[1:] {
		calls := m.charged()
		m.app.SetModel(model)
		for name, call := range calls {
			_, text, err := m.serve(t.Context(), 1, call.request)
			m.must(err)
			taken := models.Credits(0)
			if undecidable(name, model) {
				taken = call.price
			}
			m.wantTaken(fmt.Sprintf("%s, model %s, %s", name, model, text), taken)
			m.refill()
			m.exec(`DELETE FROM gate_passes`)
		}
		m.app.SetModel(resumematcher.Good)
	}
	dbtest.CheckLedger(t, m.db)
}

// undecidable reports answers that look good although the model failed: an empty resume that is called ready, and a
// letter that says nothing.
func undecidable(route string, model resumematcher.Model) bool {
	switch route {
	case "POST /api/v1/resumes/upload", "POST /api/v1/resumes/{id}/retry-processing":
		return model == resumematcher.EmptyObject
	case "POST /api/v1/resumes/{id}/generate-cover-letter", "POST /api/v1/resumes/{id}/generate-outreach":
		return model == resumematcher.EmptyObject || model == resumematcher.NotJSON
	}
	return false
}

// An answer that is cut, endless or another user's is not paid for and does not reach the browser.
func TestBrokenAnswersAreNotCharged(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	calls := m.charged()
	for _, broken := range resumematcher.Transports {
		if slices.Contains([]resumematcher.Transport{resumematcher.Normal, resumematcher.Slow, resumematcher.Hang,
			resumematcher.LooseHeaders}, broken) {
			continue
		}
		m.app.SetTransport(broken)
		for name, call := range calls {
			status, _, err := m.serve(t.Context(), 0, call.request)
			processed := err == nil && status == http.StatusBadRequest // by an earlier round
			if !processed && !fault.Is(err, fault.Upstream) {
				t.Errorf("%s, %s: status %d, error %v; want %s", name, broken, status, err, fault.Upstream)
			}
			m.wantTaken(name+", "+string(broken), 0)
		}
	}
	dbtest.CheckLedger(t, m.db)
}

// A charged request whose feature is off, or whose price is missing, is never sent, and neither is one without its pass
// or beyond its bounds.
func TestRequestsThatNeverReachResumeMatcher(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	refused := func(what string, r gate.Request, code fault.Code, problem fault.Problem) {
		t.Helper()
		before := len(m.app.Seen())
		_, _, err := m.serve(t.Context(), 0, r)
		if f := fault.Of(err); f == nil || f.Code != code || f.Problem != problem {
			t.Errorf("%s: error = %v, want %s %s", what, err, code, problem)
		}
		if n := len(m.app.Seen()) - before; n != 0 {
			t.Errorf("%s: Resume Matcher saw %d requests, want 0", what, n)
		}
		m.wantTaken(what, 0)
	}
	calls := m.charged()
	m.exec(`UPDATE feature_prices SET active = false`)
	for name, call := range calls {
		refused(name+", a feature that is off", call.request, fault.Forbidden, fault.FeatureOff)
	}
	m.exec(`UPDATE feature_prices SET active = true, credits = 101`)
	for name, call := range calls {
		refused(name+", too few credits", call.request, fault.InsufficientCredits, "")
	}
	m.exec(`UPDATE feature_prices SET credits = 5`)
	refused("a confirmation without a preview", post("/resumes/improve/confirm", map[string]any{"job_id": m.job}),
		fault.Conflict, fault.PassMissing)
	many := m.answers()
	many["answers"] = make([]any, 41)
	refused("41 answers", post("/enrichment/enhance", many), fault.Invalid, fault.TooManyItems)
}

// A captured preview pays for three confirmations, and a wizard turn for twenty more.
func TestPasses(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	_, text, err := m.serve(t.Context(), 0, post("/resumes/improve/preview", m.target()))
	m.must(err)
	var preview struct {
		Data struct {
			Preview json.RawMessage `json:"resume_preview"`
		}
	}
	m.must(json.Unmarshal([]byte(text), &preview))
	confirm := post("/resumes/improve/confirm", map[string]any{"resume_id": m.resume, "job_id": m.job,
		"improved_data": preview.Data.Preview, "improvements": []any{}})
	for n := range 4 {
		status, _, err := m.serve(t.Context(), n%2, confirm)
		if n < 3 && (err != nil || status != http.StatusOK) || n == 3 && !fault.Is(err, fault.Conflict) {
			t.Errorf("confirmation %d: status %d, error %v; want 200 three times, then a conflict", n+1, status, err)
		}
	}
	m.wantTaken("a preview and three confirmations", 15)
	for range 21 {
		_, _, err := m.serve(t.Context(), 0, post("/resume-wizard/turn", m.turn("answer")))
		m.must(err)
	}
	m.wantTaken("a preview and 21 turns", 25)
	_, _, err = m.serve(t.Context(), 1, post("/resume-wizard/turn", m.turn("skip")))
	m.must(err)
	_, _, err = m.serve(t.Context(), 1, post("/resume-wizard/turn", m.turn("back")))
	m.must(err)
	m.wantTaken("a preview and 23 turns", 35)
}

// Twenty requests at once from two replicas, with credits for five: they run one after the other, and five are paid.
func TestOneAtATimeUntilTheCreditsEnd(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	m.grant(-75) // 25 are left
	letter := post("/resumes/"+m.tailored+"/generate-outreach", nil)
	var good, short atomic.Int64
	dbtest.Concurrently(20, func(i int) {
		for {
			_, _, err := m.serve(t.Context(), i%2, letter)
			switch f := fault.Of(err); {
			case err == nil:
				good.Add(1)
			case f != nil && f.Problem == fault.StillRunning:
				continue
			case fault.Is(err, fault.InsufficientCredits):
				short.Add(1)
			default:
				t.Errorf("error = %v", err)
			}
			return
		}
	})
	if good.Load() != 5 || short.Load() != 15 {
		t.Errorf("%d were served and %d refused, want 5 and 15", good.Load(), short.Load())
	}
	m.wantTaken("twenty requests", 100)
	dbtest.CheckLedger(t, m.db)
}

// The end of the time limit, and of the program, release the hold.
func TestRequestsThatAreEndedAreNotCharged(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	m.app.SetTransport(resumematcher.Hang)
	m.replicas[0].Timeout = 10 * time.Millisecond
	_, _, err := m.serve(t.Context(), 0, upload(t))
	if f := fault.Of(err); f == nil || f.Problem != fault.UpstreamSlow {
		t.Errorf("after the time limit: error = %v, want %s", err, fault.UpstreamSlow)
	}
	m.wantTaken("a request that took too long", 0)
	served := make(chan error, 1)
	go func() {
		_, _, err := m.serve(t.Context(), 1, upload(t))
		served <- err
	}()
	<-m.app.Arrived()
	<-m.app.Arrived()
	m.replicas[1].Stop()
	if err := <-served; !fault.Is(err, fault.Upstream) {
		t.Errorf("after Stop: error = %v, want %s", err, fault.Upstream)
	}
	m.wantTaken("a request that was stopped", 0)
}

func TestPanicReleasesTheHold(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	m.replicas[0].Upstream = nil
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a service without a Resume Matcher did not panic")
			}
		}()
		_, _, _ = m.serve(t.Context(), 0, upload(t))
	}()
	m.wantTaken("a panic", 0)
}

// Resume Matcher learns who asks from the gate alone, and the browser nothing that acts on our origin.
func TestHeadersThatPass(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	m.app.SetTransport(resumematcher.LooseHeaders)
	r := upload(t)
	for _, name := range []string{"Cookie", "Authorization", "Origin", "X-Forwarded-For", "Forwarded", "X_credits_user",
		"X-Credits-User", "X-Credits-Secret", "Idempotency-Key", "Connection", "Te", "Proxy-Authorization", "X-Real-Ip"} {
		r.Header.Set(name, "forged")
	}
	r.Header.Set("Next-Url", "/dashboard")
	r.UserID = m.user
	rule, err := m.replicas[0].Routes.Match(r.Method, r.Path)
	m.must(err)
	answer, err := m.replicas[0].Serve(t.Context(), rule, r)
	m.must(err)
	for name := range answer.Header {
		if !slices.Contains([]string{"Content-Type", "Cache-Control", "Etag", "Vary", "Last-Modified"}, name) {
			t.Errorf("the browser gets %s: %q", name, answer.Header.Get(name))
		}
	}
	seen := m.app.Seen()
	got := seen[len(seen)-1]
	for name, values := range got.Header {
		if slices.Contains(values, "forged") {
			t.Errorf("Resume Matcher gets the browser's %s", name)
		}
	}
	if got.Header.Get("X-Credits-User") != m.tenant || got.Header.Get("Next-Url") != "/dashboard" ||
		!bytes.Equal(got.Body, r.Body) {
		t.Errorf("Resume Matcher got user %q, Next-Url %q and %d bytes; want %q, /dashboard and %d",
			got.Header.Get("X-Credits-User"), got.Header.Get("Next-Url"), len(got.Body), m.tenant, len(r.Body))
	}
	var metadata map[string]any
	var raw string
	m.must(m.db.Raw(`SELECT meta ->> 'metadata' FROM credit_transactions ORDER BY id DESC LIMIT 1`).Scan(&raw).Error)
	m.must(json.Unmarshal([]byte(raw), &metadata))
	if metadata["route"] != "POST /api/v1/resumes/upload" || metadata["status"] != 200.0 || metadata["ms"] == nil {
		t.Errorf("metadata = %s, want route, status and milliseconds", raw)
	}
}
