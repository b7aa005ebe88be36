package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// gateFixture is the server in front of a Resume Matcher stand-in, with a signed-in user.
type gateFixture struct {
	*fixture
	matcher *resumematcher.App
	user    int64
	cookie  string // header line
}

// ownOrigin is the header line by which the user's browser writes.
const ownOrigin = "Origin: http://localhost"

func newGateFixture(t testing.TB) *gateFixture {
	t.Helper()
	const secret = "not-a-secret"
	f := &gateFixture{fixture: newFixture(t)}
	app, err := resumematcher.New(resumematcher.Options{Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := gate.ParseRoutes(context.Background(), f.db, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.matcher = app
	f.handler.Gate = &gate.Service{DB: f.db, Spend: f.handler.Spend, Limits: f.handler.Limits, Routes: rules,
		Timeout: time.Minute}
	f.behind(secret, app.ServeHTTP)
	t.Cleanup(app.Release)
	f.app = NewApp(f.handler)
	f.user = f.fixture.user("ada@example.com", 100).ID
	f.cookie = "Cookie: " + f.signIn(f.user)
	return f
}

// behind puts the gate in front of a Resume Matcher.
func (f *gateFixture) behind(secret string, answer http.HandlerFunc) {
	f.t.Helper()
	server := httptest.NewServer(answer)
	f.t.Cleanup(server.Close)
	upstream, err := gate.NewUpstream(server.URL, "", secret)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(upstream.Close)
	f.handler.Gate.Upstream = upstream
}

// seen returns how many requests Resume Matcher has received.
func (f *gateFixture) seen() int { return len(f.matcher.Seen()) }

// postUpload is a request that uploads a body, with some header lines.
func postUpload(body string, lines ...string) string {
	return fmt.Sprintf("POST /api/v1/resumes/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"+
		"Content-Type: multipart/form-data; boundary=x\r\nConnection: close\r\n%s\r\n\r\n%s", len(body),
		strings.Join(lines, "\r\n"), body)
}

func uploadBody(size int) string {
	return "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"resume.pdf\"\r\n" +
		"Content-Type: application/pdf\r\n\r\n" + strings.Repeat("%PDF", size/4) + "\r\n--x--\r\n"
}
