package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// gateFixture is a Resume Matcher stand-in, and a database for the servers in front of it.
type gateFixture struct {
	*fixture
	matcher *resumematcher.App
	dir     string // the servers' working directory: its secrets make a session valid at each
	env     []string
}

// matcherSecret is the secret of Resume Matcher's tenant add-on.
const matcherSecret = "6d0c1f7be2a94c58b1946ac94f1c9b27d0e85a36"

func newGateFixture(t testing.TB) *gateFixture {
	t.Helper()
	matcher, err := resumematcher.New(resumematcher.Options{Secret: matcherSecret})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(matcher)
	t.Cleanup(server.Close)
	t.Cleanup(matcher.Release)
	db := dbtest.New(t)
	g := &gateFixture{fixture: &fixture{db: db, url: dbtest.URLOf(db)}, matcher: matcher, dir: workDir(t)}
	g.env = g.envFor(server.URL)
	return g
}

// envFor returns the settings of a server in front of a Resume Matcher.
func (fx *fixture) envFor(matcher string) []string {
	return []string{"DATABASE_URL=" + fx.url, "RESUME_MATCHER_URL=" + matcher, "RESUME_MATCHER_SECRET=" + matcherSecret}
}

// newUser signs a user in at a server and grants credits.
func (fx *fixture) newUser(s *site, credits int) *visitor {
	s.t.Helper()
	v := newVisitor(s, "en")
	v.signInAs("ada@example.com")
	fx.grantCredits(s.t, credits, fx.userID(s.t))
	return v
}

// signInMany signs users in at a server.
func signInMany(s *site, count int) []*visitor {
	s.t.Helper()
	users := make([]*visitor, count)
	for i := range users {
		users[i] = newVisitor(s, "en")
		users[i].signInAs(fmt.Sprintf("user%d@example.com", i))
	}
	return users
}

// userID returns the id of that user.
func (fx *fixture) userID(t testing.TB) int64 {
	t.Helper()
	return fx.count(t, `SELECT id FROM users WHERE email = 'ada@example.com'`)
}

// wantCredits checks the user's balance and held credits, and the ledger.
func (g *gateFixture) wantCredits(t testing.TB, what string, balance, held int64) {
	t.Helper()
	user := g.userID(t)
	gotBalance := g.count(t, `SELECT credits_balance FROM users WHERE id = ?`, user)
	gotHeld := g.count(t, `SELECT credits_held FROM users WHERE id = ?`, user)
	if gotBalance != balance || gotHeld != held {
		t.Errorf("%s: balance %d, held %d credits; want %d and %d", what, gotBalance, gotHeld, balance, held)
	}
	dbtest.CheckLedger(t, g.db)
}

// resumeFile is the body of an upload.
const resumeFile = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"resume.pdf\"\r\n" +
	"Content-Type: application/pdf\r\n\r\n%PDF-1.4 Ada Example\r\n--x--\r\n"

// matcherAnswer is an answer of Resume Matcher's API, or of the gate in front of it.
type matcherAnswer struct {
	status int
	text   string
	err    error // the connection's
}

// post sends what Resume Matcher's pages send to a path below /api/v1, with pairs of a header's name and value. It is
// safe for concurrent use.
func (v *visitor) post(path, body string, header ...string) (answer matcherAnswer) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, v.site.url+"/api/v1"+path,
		strings.NewReader(body))
	if err != nil {
		return matcherAnswer{err: err}
	}
	request.Header.Set("Origin", v.site.url)
	request.Header.Set("Accept-Language", v.locale)
	request.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(body, "--x\r\n") {
		request.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := v.client.Do(request)
	if err != nil {
		return matcherAnswer{err: err}
	}
	defer func() { _ = response.Body.Close() }() // only read
	text, err := io.ReadAll(response.Body)
	return matcherAnswer{response.StatusCode, string(text), err}
}

// begin uploads a resume in the background, and returns once it has arrived at a Resume Matcher that does not answer
// yet.
func (g *gateFixture) begin(v *visitor) (answer <-chan matcherAnswer) {
	answered := make(chan matcherAnswer, 1)
	go func() { answered <- v.post("/resumes/upload", resumeFile) }()
	<-g.matcher.Arrived()
	return answered
}

// mustPost posts what must be answered with this status, and returns the answer's object.
func (v *visitor) mustPost(status int, path string, body any) (object map[string]any) {
	v.t.Helper()
	text, isText := body.(string)
	if !isText {
		encoded, err := json.Marshal(body)
		if err != nil {
			v.t.Fatal(err)
		}
		text = string(encoded)
	}
	answer := v.post(path, text)
	if err := json.Unmarshal([]byte(answer.text), &object); err != nil || answer.err != nil || answer.status != status {
		v.t.Fatalf("POST %s: status %d (%v), %s; want %d and an object", path, answer.status, answer.err, answer.text, status)
	}
	if status >= http.StatusBadRequest && !strings.HasPrefix(answer.text, fmt.Sprintf(`{"detail":%q`, object["detail"])) {
		v.t.Errorf("POST %s: %s, want the sentence first, as detail", path, answer.text)
	}
	return object
}
