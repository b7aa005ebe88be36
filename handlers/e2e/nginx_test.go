package e2e

import (
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// recorder collects what the product's answers set and say at its public address.
type recorder struct {
	http.RoundTripper
	mu      sync.Mutex
	cookies map[string]*http.Cookie // the last one set, by name; deletions are not stored
	faults  []string
}

// RoundTrip sends the request.
func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	answer, err := r.RoundTripper.RoundTrip(q)
	if err != nil || q.URL.Host != publicHost {
		return answer, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range answer.Cookies() {
		if c.MaxAge >= 0 && c.Value != "" {
			r.cookies[c.Name] = c
		}
	}
	const year = "max-age=63072000; includeSubDomains"
	if got := answer.Header.Get("Strict-Transport-Security"); !strings.HasPrefix(got, year) {
		r.faults = append(r.faults, q.URL.Path+": Strict-Transport-Security: "+got)
	}
	return answer, nil
}

// In production mode, behind nginx with TLS, a user signs in, orders and pays, and the event arrives through nginx.
func TestProductionBehindNginx(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("nginx is not installed")
	}
	s := startBehindNginx(t)
	seen := &recorder{RoundTripper: s.transport(), cookies: map[string]*http.Cookie{}}
	v := newVisitor(s.site, "en")
	v.client.Transport = seen
	v.signInAs("ada@example.com")
	v.buy("100")
	s.waitForOutput(`"route":"/api/stripe/webhook","status":200`)
	dbtest.Eventually(t, "the event books the credits", func() bool {
		v.open("/en/billing")
		return v.balance() == "100"
	})
	for _, fault := range seen.faults {
		t.Error(fault)
	}
	for name := range maps.Keys(seen.cookies) {
		c := seen.cookies[name]
		host := strings.HasPrefix(name, "__Host-") || name == "locale"
		if !host || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !c.HttpOnly {
			t.Errorf("cookie %s: %s", name, c.Raw)
		}
	}
	if seen.cookies["__Host-session"] == nil {
		t.Errorf("got the cookies %v, want __Host-session", seen.cookies)
	}
	t.Run("what strangers send about the host has no effect", func(t *testing.T) {
		noRedirect := &http.Client{Transport: s.transport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		for _, host := range []string{publicHost, "evil.example"} {
			for _, path := range []string{"/", "/en", "/en/login", "/en/billing", "/auth/oidc", "/api/openapi.json"} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Host = host
				for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host"} {
					r.Header.Set(name, "evil.example")
				}
				r.Header.Set("Forwarded", "host=evil.example;proto=http")
				r.Header.Set("X-Forwarded-Proto", "http")
				r.Header.Set("X-Forwarded-For", "127.0.0.1, 192.0.2.7")
				answer, err := noRedirect.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				s.wantOurs(t, answer, path)
			}
		}
		if strings.Contains(s.out.String(), "evil.example") {
			t.Error("the log contains the stranger's host")
		}
	})
}

// wantOurs checks that an answer leads to no other host than the product's and the provider's.
func (s *productionSite) wantOurs(t *testing.T, answer *http.Response, path string) {
	t.Helper()
	defer answer.Body.Close()
	for _, values := range answer.Header {
		if text := strings.Join(values, " "); strings.Contains(text, "evil") {
			t.Errorf("%s: got the header %q", path, text)
		}
	}
	to, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || to.Host != "" && to.Hostname() != "localhost" && to.Hostname() != "127.0.0.1" {
		t.Errorf("%s: got Location %s, %v", path, to, err)
	}
	if path == "/auth/oidc" && answer.StatusCode < 400 &&
		to.Query().Get("redirect_uri") != s.url+"/auth/oidc/callback" {
		t.Errorf("%s: got redirect_uri %s", path, to.Query().Get("redirect_uri"))
	}
}
