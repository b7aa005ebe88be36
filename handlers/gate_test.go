package handlers

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// Every address of ours but / is ours, and no rule of the table covers one.
func TestOwnPathsAndResumeMatchersDoNotOverlap(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	for _, route := range f.app.GetRoutes(true) {
		path := strings.NewReplacer(":locale<regex(^(de|en)$)>", "de").Replace(route.Path)
		if path != "/" && !isOwn(path) {
			t.Errorf("%s %s belongs to Resume Matcher", route.Method, route.Path)
		}
	}
	for _, rule := range f.handler.Gate.Routes.Rules() {
		if isOwn(rule.Template) {
			t.Errorf("%s is ours", rule.Name())
		}
	}
}

// What needs a session sends a visitor to sign in and back, and answers programs with an error.
func TestVisitorsOfResumeMatcher(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	for _, c := range []struct {
		method, path, location string
		status                 int
	}{
		{"GET", "/dashboard", "/en/login?return_to=%2Fdashboard", 303},
		{"GET", "/", "/en", 303},
		{"GET", "/api/v1/resumes/list", "", 401},
		{"POST", "/api/v1/resumes/upload", "", 401},
		{"GET", "/api/v1/health", "", 200},
		{"GET", "/logo.svg", "", 200},
		{"GET", "/_next/static/css/app.css", "", 200},
		{"GET", "/print/resumes/1", "", 404},
		{"GET", "/docs", "", 404},
		{"GET", "/_next/image", "", 404},
		{"POST", "/api/v1/resumes/improve", "", 404},
		{"GET", "/api/v1/no-such-route", "", 404},
		{"POST", "/dashboard", "", 404},
		{"GET", "/en/login", "", 200},
		{"GET", "/healthz", "", 200},
	} {
		r := f.call(c.method, c.path, "")
		if r.status != c.status || r.header.Get("Location") != c.location {
			t.Errorf("%s %s: status %d to %q, want %d to %q", c.method, c.path, r.status, r.header.Get("Location"), c.status,
				c.location)
		}
	}
	german := f.call("GET", "/dashboard", "", "Accept-Language: de").header.Get("Location")
	if german != "/de/login?return_to=%2Fdashboard" {
		t.Errorf("a German visitor of /dashboard: redirect to %q, want the German sign-in page", german)
	}
}

// Pages come with a policy of their own, and no shared cache may keep them.
func TestPagesOfResumeMatcher(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	r := f.call("GET", "/dashboard", "", f.cookie)
	if r.status != http.StatusOK || !strings.Contains(r.body, "</html>") {
		t.Fatalf("status %d, %s; want a page", r.status, r.body)
	}
	for name, want := range map[string]string{"Content-Security-Policy": gatePolicy, "Cache-Control": "private, no-store",
		"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	static := f.call("GET", "/_next/static/css/app.css", "")
	if got := static.header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control of a static file = %q, want Resume Matcher's", got)
	}
	if r := f.call("GET", "/settings?_rsc=1", "", f.cookie); r.status != http.StatusForbidden || r.body != "" {
		t.Errorf("prefetch of the settings: status %d, %q; want 403 without a body", r.status, r.body)
	}
	if r := f.call("GET", "/dashboard", "", f.cookie, "Upgrade: websocket", "Connection: Upgrade"); r.status != 400 {
		t.Errorf("an upgrade: status %d, want 400", r.status)
	}
}

// Other sites' pages cannot write for a signed-in user.
func TestWritesNeedOurOrigin(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	for _, origin := range []string{"", "Origin: https://evil.example", "Origin: null"} {
		header := []string{f.cookie}
		if origin != "" {
			header = append(header, origin)
		}
		if r := f.call("POST", "/api/v1/jobs/upload", `{"job_descriptions":["x"]}`, header...); r.status != 403 {
			t.Errorf("%q: status %d, want 403", origin, r.status)
		}
	}
	if f.seen() != 0 {
		t.Errorf("Resume Matcher saw %d requests, want 0", f.seen())
	}
	if r := f.call("POST", "/api/v1/jobs/upload", `{"job_descriptions":["x"]}`, f.cookie, ownOrigin); r.status != 200 {
		t.Errorf("our origin: status %d, %s; want 200", r.status, r.body)
	}
}

// A path is served in one spelling. All others are refused before any routing, and never reach Resume Matcher.
func TestSpellingsOfAPath(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, _ := f.serve(transport.Slots{})
	for _, target := range []string{"//api/v1/status", "/x/../api/v1/status", "/./api/v1/status", "/API/v1/status",
		"/api/v1/status/", "/api%2fv1/status", "/%2e%2e/api/v1/status", "/auth/../api/v1/status", "/healthz/../api/v1/status",
		"/de/../api/v1/status", "/api;x/v1/status", "/api/v1\\status", "/%2561pi/v1/status", "/api/v1/status%00",
		"http://localhost/api/v1/status", "/api/v1/ſtatus", "/api/%C5%BFtatus", "/static/../api/v1/status"} {
		res, _ := dial(t, address).send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + f.cookie + "\r\n\r\n")
		if res.StatusCode != 400 && res.StatusCode != 404 {
			t.Errorf("%s: status %d, want 400 or 404", target, res.StatusCode)
		}
	}
	if f.seen() != 0 {
		t.Errorf("Resume Matcher saw %v, want nothing", f.matcher.Seen()[0].Target)
	}
	res, _ := dial(t, address).send("GET /%61pi/v1/status?a=%62 HTTP/1.1\r\nHost: localhost\r\n" + f.cookie + "\r\n\r\n")
	if seen := f.matcher.Seen(); res.StatusCode != 200 || seen[0].Target != "/api/v1/status?a=%62" {
		t.Errorf("an encoded letter: status %d, Resume Matcher saw %v; want 200 and the decoded path", res.StatusCode, seen)
	}
}

// A file reaches Resume Matcher byte for byte. Its size is bounded, and a stranger's is not read.
func TestUploads(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, _ := f.serve(transport.Slots{})
	post := func(size int, lines ...string) (*http.Response, string) {
		c := dial(t, address)
		go func() { _, _ = io.WriteString(c.conn, postUpload(uploadBody(size), lines...)) }()
		return c.receive(http.MethodPost)
	}
	res, text := post(4<<20, f.cookie, ownOrigin)
	if seen := f.matcher.Seen(); res.StatusCode != 200 || !strings.Contains(text, `"ready"`) ||
		seen[0].Size != len(uploadBody(4<<20)) || !bytes.HasPrefix([]byte(uploadBody(4<<20)), seen[0].Body) {
		t.Errorf("4 MiB: status %d, %s; Resume Matcher saw %d bytes; want 200, ready and all", res.StatusCode, text,
			seen[0].Size)
	}
	before := f.seen()
	if res, _ := post(9<<20, f.cookie, ownOrigin); res.StatusCode != 413 {
		t.Errorf("9 MiB: status %d, want 413", res.StatusCode)
	}
	if res, _ := post(4<<20, ownOrigin); res.StatusCode != 401 {
		t.Errorf("4 MiB of a visitor: status %d, want 401", res.StatusCode)
	}
	f.credit(f.user, -85) // after an upload of 10
	if res, _ := post(4<<20, f.cookie, ownOrigin); res.StatusCode != 402 {
		t.Errorf("4 MiB of a user with 5 credits: status %d, want 402", res.StatusCode)
	}
	if f.seen() != before {
		t.Errorf("Resume Matcher saw %d refused uploads, want 0", f.seen()-before)
	}
	if in := f.handler.uploads.UnderWay(); in != 0 {
		t.Errorf("%d bytes are counted as in flight, want 0", in)
	}
}

// Reading has no body: strangers may read, and a server behind might take a body for the next request.
func TestReadingHasNoBody(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, _ := f.serve(transport.Slots{})
	for _, body := range []string{"Content-Length: 1\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			c := dial(t, address)
			if _, err := io.WriteString(c.conn, method+" /logo.svg HTTP/1.1\r\nHost: localhost\r\n"+body); err != nil {
				t.Fatal(err)
			}
			if res, _ := c.receive(method); res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s with %q: status %d, want 413", method, body, res.StatusCode)
			}
		}
	}
	if f.seen() != 0 {
		t.Errorf("Resume Matcher saw %d requests, want 0", f.seen())
	}
	for target, want := range map[string]time.Duration{"GET /logo.svg": 0, "POST /api/v1/resumes/upload": uploadTimeout} {
		var header fasthttp.RequestHeader
		method, path, _ := strings.Cut(target, " ")
		header.SetMethod(method)
		header.SetRequestURI(path)
		if got := f.handler.uploadTime(&header).ReadTimeout; got != want {
			t.Errorf("%s: %s to send the body, want %s", target, got, want)
		}
	}
}

// Resume Matcher's pages look for these words in an error, and then explain it as a wrong key or a limit.
func TestErrorsOfTheGateAreNotMistaken(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	f.credit(f.user, -100)
	for _, locale := range []string{"de", "en"} {
		if err := f.db.Exec(`UPDATE users SET locale = ? WHERE id = ?`, locale, f.user).Error; err != nil {
			t.Fatal(err)
		}
		r := f.call("POST", "/api/v1/resumes/1/generate-outreach", "", f.cookie, ownOrigin, "Accept-Language: fr")
		if e := r.refusal(t); r.status != 402 || e.Error.Code != "INSUFFICIENT_CREDITS" ||
			!strings.HasPrefix(r.body, `{"detail":"`+e.Error.Message[:10]) {
			t.Errorf("%s: status %d, %s; want 402 with the message first", locale, r.status, r.body)
		}
		if !strings.Contains(r.body, "/"+locale+"/purchase") {
			t.Errorf("%s: %s, want the link to the packages", locale, r.body)
		}
		ctx, _ := f.handler.Site.Texts.Context(t.Context(), locale)
		for _, e := range []*fault.Error{
			fault.New(fault.InsufficientCredits, map[string]any{"required": 1, "available": 0, "missing": 1}), fault.InProgress(),
			fault.New(fault.Upstream, nil), fault.Because(fault.Upstream, fault.UpstreamAway),
			fault.Because(fault.Upstream, fault.UpstreamSlow), fault.Because(fault.Upstream, fault.UpstreamUnusable),
			fault.Because(fault.Forbidden, fault.FeatureOff), fault.Because(fault.Forbidden, fault.OperatorOnly),
			fault.Because(fault.Conflict, fault.PassMissing), fault.New(fault.RateLimited, map[string]any{"retryAfter": 60}),
			fault.New(fault.Internal, nil), fault.New(fault.Unavailable, nil), fault.Because(fault.Unavailable, fault.Busy),
		} {
			text := strings.ToLower(f.handler.message(ctx, e))
			for _, word := range []string{"401", "429", "unauthorized", "authentication", "api key", "api-key", "rate limit",
				"timeout", "timed out"} {
				if strings.Contains(text, word) {
					t.Errorf("%s: %q contains %q", locale, text, word)
				}
			}
		}
	}
}

// The routes by which an operator sets up Resume Matcher are open to our admins.
func TestOperatorRoutes(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	if r := f.call("GET", "/api/v1/config/llm-api-key", "", f.cookie); r.status != 403 {
		t.Errorf("a user: status %d, want 403", r.status)
	}
	admin := "Cookie: " + f.signIn(f.boss().ID)
	if r := f.call("GET", "/api/v1/config/llm-api-key", "", admin); r.status != 200 {
		t.Errorf("an admin: status %d, want 200", r.status)
	}
}

// An answer that has no length, and one that stops, end for the browser as they ended for us.
func TestAnswersThatStream(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, _ := f.serve(transport.Slots{})
	f.matcher.SetTransport(resumematcher.CutMidBody, "GET /api/v1/resumes/list")
	c := dial(t, address)
	if _, err := io.WriteString(c.conn, "GET /api/v1/resumes/list HTTP/1.1\r\nHost: localhost\r\n"+f.cookie+
		"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(c.reader, &http.Request{Method: http.MethodGet})
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Error("an answer that was cut arrived whole")
	}
}

// The billing page leads to Resume Matcher: by its main button while the credits pay for something.
func TestBillingLeadsToResumeMatcher(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	f.sell()
	for _, c := range []struct {
		credits models.Credits // added before
		variant string
	}{{0, "primary"}, {-100, "secondary"}} {
		f.credit(f.user, c.credits)
		r := f.call("GET", "/en/billing", "", f.cookie)
		if want := `id="resume-matcher" href="/" class="btn" data-variant="` + c.variant; !strings.Contains(r.body, want) {
			t.Errorf("after %d credits: status %d, want %s", c.credits, r.status, want)
		}
	}
}
