package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/sandbox/identity"
)

// Every answer carries the security headers, including errors that no handler produced. The site runs behind https.
func TestHeaders(t *testing.T) {
	t.Parallel()
	const address, client = "https://credits.example.com", "credits"
	provider, err := identity.Start(t.Context(), identity.Options{Listen: "127.0.0.1:0", ClientID: client,
		ClientSecret: "0123456789",
		RedirectURLs: []string{address + "/auth/oidc/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close(context.Background()) })
	s := start(t, "APP_URL="+address, "STRIPE_SECRET_KEY=sk_test_0123456789abcdef",
		"STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdef", "STRIPE_API_BASE=http://127.0.0.1:9",
		"OIDC_ISSUER="+provider.Issuer(), "OIDC_CLIENT_ID="+client, "OIDC_CLIENT_SECRET=0123456789",
		"GOOGLE_CLIENT_ID=google", "GOOGLE_CLIENT_SECRET=0123456789",
		"GITHUB_CLIENT_ID=github", "GITHUB_CLIENT_SECRET=0123456789", "LINKEDIN_CLIENT_ID=linkedin",
		"LINKEDIN_CLIENT_SECRET=0123456789")
	noRedirect := &http.Client{CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"page":          {"GET", "/en", "", 200},
		"redirect":      {"GET", "/", "", 303},
		"needs sign-in": {"GET", "/en/billing", "", 303},
		"no such page":  {"GET", "/en/nothing", "", 404},
		"no such file":  {"GET", "/static/nothing", "", 404},
		"API":           {"GET", "/api/credits/balance", "", 401},
		"wrong method":  {"DELETE", "/api/checkout", "", 405},
		"webhook":       {"POST", "/api/stripe/webhook", "x", 400},
		"large":         {"POST", "/api/stripe/webhook", strings.Repeat("x", 2<<20), 413},
		"larger":        {"POST", "/api/stripe/webhook", strings.Repeat("x", 5<<20), 413},
		"health":        {"GET", "/healthz", "", 200},
		"ready":         {"GET", "/readyz", "", 200},
		"sign-in":       {"GET", "/auth/oidc", "", 302},
		"form, no user": {"POST", "/en/purchase", "x=1", 303},
		"logout":        {"POST", "/logout", "", 303},
	} {
		res, _ := request(t, noRedirect, c.method, s.url+c.path, c.body,
			map[string]string{"Accept-Language": "de-DE,de;q=0.9"})
		if res.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, res.StatusCode, c.status)
		}
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy":           "strict-origin-when-cross-origin",
			"Strict-Transport-Security": "includeSubDomains", "X-Request-Id": "req_", "Cache-Control": "no-store",
		} {
			if !strings.Contains(res.Header.Get(header), want) {
				t.Errorf("%s: %s = %q, want it to contain %q", name, header, res.Header.Get(header), want)
			}
		}
		if policy := res.Header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") ||
			strings.Contains(policy, "*") {
			t.Errorf("%s: Content-Security-Policy = %s, want neither unsafe nor *", name, policy)
		}
		if res.Header.Get("Server") != "" {
			t.Errorf("%s: Server = %q, want none", name, res.Header.Get("Server"))
		}
	}
	t.Run("a sign-in sets one secure cookie and sends PKCE, nonce and state", func(t *testing.T) {
		res, _ := request(t, noRedirect, "GET", s.url+"/auth/oidc", "",
			map[string]string{"Cookie": "__Host-session=planted-by-an-attacker"})
		cookies := res.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("cookies = %v, want only the flow's", cookies)
		}
		c := cookies[0]
		if !strings.HasPrefix(c.Name, "__Host-flow-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode ||
			c.Path != "/" || c.Domain != "" || len(c.Value) < 43 {
			t.Errorf("cookie = %v, want __Host-flow-…, Secure, HttpOnly, Lax, for / and no domain", c)
		}
		location := res.Header.Get("Location")
		for _, want := range []string{"code_challenge=", "code_challenge_method=S256", "nonce=", "state=", "ui_locales="} {
			if !strings.Contains(location, want) {
				t.Errorf("authorization request lacks %s: %s", want, location)
			}
		}
	})
	t.Run("the sign-in page offers every configured provider", func(t *testing.T) {
		v := newVisitor(s, "en")
		v.t = t
		v.open("/en/login")
		for _, id := range []string{"#sign-in-oidc", "#sign-in-google", "#sign-in-github", "#sign-in-linkedin"} {
			v.find(id)
		}
	})
}
