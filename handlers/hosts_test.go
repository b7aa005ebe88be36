package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/handlers/transport"
)

// Each host serves what is its own; the other's pages are a redirect, everything else is missing.
func TestWhatEachHostServes(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	for _, c := range []struct {
		host, method, path, location string
		status                       int
	}{
		{"localhost", "GET", "/", "/en", 303},
		{"localhost", "GET", "/en/login", "", 200},
		{"localhost", "GET", "/healthz", "", 200},
		{"localhost", "GET", "/dashboard", gateURL + "/dashboard", 303},
		{"localhost", "GET", "/tailor?x=1", gateURL + "/tailor?x=1", 303},
		{"localhost", "POST", "/dashboard", "", 404},
		{"localhost", "GET", "/api/v1/health", "", 404},
		{"localhost", "POST", "/api/v1/resumes/upload", "", 404},
		{"localhost", "GET", "/print/resumes/1", "", 404},
		{"localhost", "GET", "/nowhere//x", "", 400},
		{"localhost", "GET", "/credits/session?code=x", "", 404},
		{"other.example", "GET", "/en/login", "", 200},
		{"other.example", "GET", "/dashboard", gateURL + "/dashboard", 303},

		{"resumes.localhost", "GET", "/api/v1/health", "", 200},
		{"resumes.localhost", "GET", "/logo.svg", "", 200},
		{"resumes.localhost", "GET", "/api/v1/resumes/list", "", 401},
		{"resumes.localhost", "GET", embedPath, "", 200},
		{"resumes.localhost", "GET", embedStatePath, "", 401},
		{"resumes.localhost", "POST", embedStatePath, "", 404},
		{"resumes.localhost", "GET", "/en", ownURL + "/en", 303},
		{"resumes.localhost", "GET", "/de/billing?x=1", ownURL + "/de/billing?x=1", 303},
		{"resumes.localhost", "GET", "/en/nowhere", "", 404},
		{"resumes.localhost", "POST", "/en/account", "", 404},
		{"resumes.localhost", "POST", "/en/withdrawal", "", 404},
		{"resumes.localhost", "GET", "/auth/oidc", "", 404},
		{"resumes.localhost", "GET", "/auth/oidc/callback", "", 404},
		{"resumes.localhost", "GET", "/auth/resume-matcher?return_to=/", "", 404},
		{"resumes.localhost", "POST", "/logout", "", 404},
		{"resumes.localhost", "GET", "/api/credits/balance", "", 404},
		{"resumes.localhost", "POST", "/api/credits/spend", "", 404},
		{"resumes.localhost", "POST", "/api/checkout", "", 404},
		{"resumes.localhost", "POST", "/api/stripe/webhook", "", 404},
		{"resumes.localhost", "GET", "/api/openapi.json", "", 404},
		{"resumes.localhost", "GET", "/healthz", "", 404},
		{"resumes.localhost", "GET", "/readyz", "", 404},
		{"resumes.localhost", "GET", "/dev/components", "", 404},
	} {
		r := f.call(c.method, c.path, "", "Host: "+c.host)
		if r.status != c.status || r.header.Get("Location") != c.location {
			t.Errorf("%s %s at %s: status %d to %q, want %d to %q", c.method, c.path, c.host, r.status,
				r.header.Get("Location"), c.status, c.location)
		}
	}
}

// Every route of ours but those of newGateSide is missing at the gate's own host, to everyone.
func TestNoRouteOfOursAnswersAtTheGate(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	cookie := f.gateCookie("eve@example.com")
	for _, route := range f.app.GetRoutes(true) {
		path := strings.NewReplacer(":locale<regex(^(de|en)$)>", "en", ":id", "1", ":provider", "oidc", "/*", "/x").
			Replace(route.Path)
		if path == "/" || path == embedPath || path == embedStatePath || route.Method == http.MethodHead ||
			path == "/x" { // Resume Matcher's own, and ours there
			continue
		}
		r := f.call(route.Method, path, "", gateLine, cookie, f.cookie, "Origin: "+gateURL)
		ours := r.status == 303 && strings.HasPrefix(r.header.Get("Location"), ownURL+"/en")
		if r.status != 404 && !ours {
			t.Errorf("%s %s: status %d to %q, want 404 or the way to our host", route.Method, path, r.status,
				r.header.Get("Location"))
		}
	}
}

// The host decides in any case and with its scheme's port. Another port or a dot at the end is not a host of ours.
func TestSpellingsOfTheGatesHost(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	address, _ := f.serve(transport.Slots{})
	for host, want := range map[string]int{
		"resumes.localhost": 404, "RESUMES.Localhost": 404, "resumes.localhost:80": 404,
		"resumes.localhost:8080": 421, "resumes.localhost:443": 421, "resumes.localhost.": 421, "resumes.localhost.:80": 421,
		"localhost": 200, "x.resumes.localhost": 200, "resumes.localhost.example": 200, "10.0.0.7": 200,
	} {
		if res, _ := dial(t, address).send("GET /healthz HTTP/1.1\r\nHost: " + host + "\r\n\r\n"); res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", host, res.StatusCode, want)
		}
	}
	for host, want := range map[string]bool{"resumes.localhost": true, "localhost": false} {
		var header fasthttp.RequestHeader
		header.SetMethod("POST")
		header.SetHost(host)
		header.SetRequestURI("/api/v1/resumes/upload")
		if got := f.handler.uploadTime(&header).ReadTimeout == uploadTimeout; got != want {
			t.Errorf("%s: time for an upload = %v, want %v", host, got, want)
		}
	}
}

// A script in one of Resume Matcher's pages has the gate's cookie. It reads no token and no profile, and spends nothing
// but by the gate's routes.
func TestScriptInAPageIsNotOurUser(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	b := f.signedIn("eve@example.com")
	b.open(gateURL + "/dashboard")
	key := b.jars["resumes.localhost"][gateCookie]
	cookie := "Cookie: gate=" + key
	for _, path := range []string{"/settings", "/en/account", "/nowhere", "/credits/session?code=x", "/en/admin",
		"/api/nowhere"} {
		r := f.call("GET", path, "", gateLine, cookie)
		if r.status == http.StatusOK || strings.Contains(r.body, "eve@example.com") || strings.Contains(r.body, "Lovelace") ||
			strings.Contains(strings.ToLower(r.body), "csrf") {
			t.Errorf("%s: status %d, %s; want neither a token nor a profile", path, r.status, r.body)
		}
	}
	spend := `{"feature":"job_match","metadata":{}}`
	for _, line := range []string{cookie, "Cookie: session=" + key, "Cookie: verifier=" + key} {
		if r := f.call("POST", "/api/credits/spend", spend, line, "Idempotency-Key: x"); r.status != 401 {
			t.Errorf("our API with %.14s…: status %d, want 401", line, r.status)
		}
		if r := f.call("GET", "/en/account", "", line); r.status != 303 {
			t.Errorf("our page with %.14s…: status %d, want the way to sign in", line, r.status)
		}
	}
	// The browser sends our cookie along: the two hosts may be one site.
	ours := "Cookie: session=" + b.jars["localhost"]["session"]
	for _, path := range []string{"/api/credits/spend", "/api/checkout", "/en/account", "/logout"} {
		r := f.call("POST", path, spend, ours, "Origin: "+gateURL, "Sec-Fetch-Site: same-site", "Idempotency-Key: x")
		if r.status != http.StatusForbidden {
			t.Errorf("POST %s from the gate's host: status %d, want 403", path, r.status)
		}
	}
	for _, path := range []string{"/en/account", "/api/credits/balance", "/auth/resume-matcher?return_to=/tailor"} {
		r := f.call("GET", path, "", ours, "Origin: "+gateURL, "Sec-Fetch-Site: same-site")
		if r.header.Get("Access-Control-Allow-Origin") != "" ||
			r.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("GET %s: headers %v let the gate's host read it", path, r.header)
		}
	}
	if n := f.entryCount(); n != 1 { // the grant of the fixture
		t.Errorf("%d entries in the ledger, want 1: nothing is spent", n)
	}
}

// At the gate's own host its pages may write and ours may not; the script's links lead to our host.
func TestGateWorksAtItsOwnHost(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	f.sell()
	cookie := f.gateCookie("eve@example.com")
	const job = `{"job_descriptions":["x"]}`
	for origin, want := range map[string]int{gateURL: 200, ownURL: 403, "null": 403, gateURL + ":8080": 403} {
		if r := f.call("POST", "/api/v1/jobs/upload", job, gateLine, cookie, "Origin: "+origin); r.status != want {
			t.Errorf("from %s: status %d, want %d", origin, r.status, want)
		}
	}
	r := f.call("GET", "/credits/embed.json?missing=15&required=15&feature=resume_improvement", "", gateLine, cookie)
	var s embedState
	if err := json.Unmarshal([]byte(r.body), &s); err != nil || s.URL != ownURL+"/en/billing" || s.Shortage == nil ||
		!strings.HasPrefix(s.Shortage.URL, ownURL+"/en/purchase?package=100") {
		t.Errorf("status %d, %s; want links to our host", r.status, r.body)
	}
	page := f.call("GET", "/en/billing", "", f.cookie)
	if !strings.Contains(page.body, `id="resume-matcher" href="`+gateURL+`/"`) {
		t.Errorf("billing page: status %d, want the link to the gate's host", page.status)
	}
	if r := f.call("GET", "/dashboard", "", gateLine, f.cookie); r.status != 303 {
		t.Errorf("our session's cookie at the gate's host: status %d, want the way to sign in", r.status)
	}
}
