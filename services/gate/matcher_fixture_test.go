package gate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
	"github.com/resume-matcher/credits/services/spend"
)

const secret = "not-a-secret"

// matcher is a user with 100 credits, a Resume Matcher stand-in with that user's data, and two replicas of the gate.
type matcher struct {
	*fixture
	app    *resumematcher.App
	url    string
	tenant string

	resume, tailored, job string // ids at Resume Matcher
}

func newMatcher(t *testing.T) *matcher {
	t.Helper()
	m := &matcher{fixture: newFixture(t)}
	app, err := resumematcher.New(resumematcher.Options{Secret: secret})
	m.must(err)
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	t.Cleanup(app.Release)
	m.app, m.url = app, server.URL
	for _, s := range m.replicas {
		upstream, err := gate.NewUpstream(server.URL, "", secret)
		m.must(err)
		t.Cleanup(upstream.Close)
		s.Upstream, s.Limits, s.Timeout = upstream, limit.New(s.DB, nil), time.Minute
		s.Spend = &spend.Service{DB: s.DB, Log: slog.New(slog.DiscardHandler)}
		s.Routes, err = gate.ParseRoutes(t.Context(), s.DB, nil)
		m.must(err)
	}
	m.tenant, err = m.replicas[0].TenantID(t.Context(), m.user)
	m.must(err)
	m.resume = m.ask(upload(t))["resume_id"].(string)
	m.job = m.ask(post("/jobs/upload", map[string]any{"job_descriptions": []string{"Go engineer"}, "resume_id": m.resume}))["job_id"].([]any)[0].(string)
	preview := m.ask(post("/resumes/improve/preview", m.target()))["data"].(map[string]any)
	m.tailored = m.ask(post("/resumes/improve/confirm", map[string]any{"resume_id": m.resume, "job_id": m.job,
		"improved_data": preview["resume_preview"], "improvements": []any{}}))["data"].(map[string]any)["resume_id"].(string)
	return m
}

func (m *matcher) target() map[string]any {
	return map[string]any{"resume_id": m.resume, "job_id": m.job}
}

// ask asks Resume Matcher directly.
func (m *matcher) ask(r gate.Request) (answer map[string]any) {
	m.Helper()
	request, err := http.NewRequestWithContext(m.Context(), r.Method, m.url+string(r.Path), bytes.NewReader(r.Body))
	m.must(err)
	request.Header = r.Header.Clone()
	request.Header.Set("X-Credits-User", m.tenant)
	request.Header.Set("X-Credits-Secret", secret)
	got, err := http.DefaultClient.Do(request)
	m.must(err)
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	m.must(err)
	if err := json.Unmarshal(text, &answer); err != nil || got.StatusCode != http.StatusOK {
		m.Fatalf("%s %s: status %d, %s", r.Method, r.Path, got.StatusCode, text)
	}
	return answer
}

// hangUp cuts the connection without an answer: net/http does that for this panic, and logs nothing.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func post(path string, body any) gate.Request {
	text, _ := json.Marshal(body) // maps of texts
	return gate.Request{Method: http.MethodPost, Path: routes.Path("/api/v1" + path), Body: text,
		Header: http.Header{"Content-Type": {"application/json"}}}
}

func get(path string) gate.Request {
	r := post(path, nil)
	r.Method, r.Body = http.MethodGet, nil
	return r
}

func upload(t *testing.T) gate.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/pdf"},
		"Content-Disposition": {`form-data; name="file"; filename="resume.pdf"`}})
	if err == nil {
		_, err = io.WriteString(part, "%PDF-1.4 Ada Example")
	}
	if err := errors.Join(err, form.Close()); err != nil {
		t.Fatal(err)
	}
	return gate.Request{Method: http.MethodPost, Path: "/api/v1/resumes/upload", Body: body.Bytes(),
		Header: http.Header{"Content-Type": {form.FormDataContentType()}}}
}

// charged are the charged routes of the preset, their prices and a request to each.
func (m *matcher) charged() map[string]chargedCall {
	failed, letters := m.retryable(), "/resumes/"+m.tailored+"/generate-"
	return map[string]chargedCall{
		"POST /api/v1/resumes/upload":                       {10, upload(m.T)},
		"POST /api/v1/resumes/{id}/retry-processing":        {10, post("/resumes/"+failed+"/retry-processing", nil)},
		"POST /api/v1/enrichment/analyze/{id}":              {10, post("/enrichment/analyze/"+m.resume, nil)},
		"POST /api/v1/resume-wizard/turn":                   {10, post("/resume-wizard/turn", m.turn("answer"))},
		"POST /api/v1/resumes/improve/preview":              {15, post("/resumes/improve/preview", m.target())},
		"POST /api/v1/enrichment/enhance":                   {15, post("/enrichment/enhance", m.answers())},
		"POST /api/v1/enrichment/regenerate":                {15, post("/enrichment/regenerate", m.items())},
		"POST /api/v1/resumes/{id}/generate-cover-letter":   {5, post(letters+"cover-letter", nil)},
		"POST /api/v1/resumes/{id}/generate-outreach":       {5, post(letters+"outreach", nil)},
		"POST /api/v1/resumes/{id}/generate-interview-prep": {5, post(letters+"interview-prep", nil)},
	}
}

// chargedCall is a request and its price.
type chargedCall struct {
	price   models.Credits
	request gate.Request
}

func (m *matcher) turn(action string) map[string]any {
	return map[string]any{"action": action, "answer": map[string]any{"text": "I'm Ada."}, "state": map[string]any{
		"step": "question", "asked_count": 1, "history": []any{}, "resume_data": map[string]any{}}}
}

func (m *matcher) answers() map[string]any {
	return map[string]any{"resume_id": m.resume, "answers": []any{map[string]any{"question_id": "q_0", "answer": "2,000 a second"}}}
}

func (m *matcher) items() map[string]any {
	return map[string]any{"resume_id": m.resume, "instruction": "Name the outcome.", "items": []any{map[string]any{
		"item_id": "exp_0", "item_type": "experience", "title": "Engineer", "current_content": []string{"Worked."}}}}
}

// retryable uploads a resume that the model fails to read, and returns its id.
func (m *matcher) retryable() string {
	m.Helper()
	m.app.SetModel(resumematcher.Fails500)
	defer m.app.SetModel(resumematcher.Good)
	return m.ask(upload(m.T))["resume_id"].(string)
}

// serve asks through a replica and reads the answer whole.
func (m *matcher) serve(ctx context.Context, replica int, r gate.Request) (int, string, error) {
	m.Helper()
	r.UserID = m.user
	s := m.replicas[replica]
	rule, err := s.Routes.Match(r.Method, r.Path)
	m.must(err)
	answer, err := s.Serve(ctx, rule, r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return answer.Status, string(text), err
}

// credits returns the user's balance and held credits.
func (m *matcher) credits() (balance, held models.Credits) {
	m.Helper()
	var row struct{ CreditsBalance, CreditsHeld models.Credits }
	m.must(m.db.Raw(`SELECT credits_balance, credits_held FROM users WHERE id = ?`, m.user).Scan(&row).Error)
	return row.CreditsBalance, row.CreditsHeld
}

// wantTaken checks what a request took from 100 credits, and that nothing is held.
func (m *matcher) wantTaken(what string, want models.Credits) {
	m.Helper()
	if balance, held := m.credits(); balance != 100-want || held != 0 {
		m.Errorf("%s: balance %d, held %d credits; want %d and 0", what, balance, held, 100-want)
	}
}

func (m *matcher) refill() {
	m.Helper()
	balance, _ := m.credits()
	if balance < 100 {
		m.grant(100 - balance)
	}
}
