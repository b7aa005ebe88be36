package handlers

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/auth"
)

// A visitor of one of Resume Matcher's pages signs in at our host and sees that page. Its code shows in no log, and
// is sent on to no one.
func TestSignInIsHandedOver(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	f.offer()
	var log bytes.Buffer
	f.handler.Site.Log = slog.New(slog.NewJSONHandler(&log, nil))
	b := f.tab()
	if b.open(gateURL + "/"); b.at != ownURL+"/en" {
		t.Errorf("a newcomer at / is led to %s, want our landing page", b.at)
	}
	if b.open(gateURL + "/tailor?x=1"); b.at != ownURL+"/en/login?return_to=%2Ftailor%3Fx%3D1" {
		t.Fatalf("a visitor is led to %s, want our sign-in page", b.at)
	}
	r := b.signIn("grace@example.com")
	if r.status != http.StatusOK || b.at != gateURL+"/tailor?x=1" || !strings.Contains(r.body, embedPath) {
		t.Fatalf("status %d at %s, want Resume Matcher's page", r.status, b.at)
	}
	shown := slices.IndexFunc(b.path, func(address string) bool {
		return strings.Contains(address, "code=") &&
			strings.HasPrefix(address, gateURL)
	})
	code := b.path[shown][strings.Index(b.path[shown], "code=")+len("code="):]
	if text := log.String(); strings.Contains(text, code) || !strings.Contains(text, `"route":"/credits/session"`) {
		t.Errorf("log = %s, want the route without the code", text)
	}
	if names := slices.Sorted(maps.Keys(b.jars["resumes.localhost"])); !slices.Equal(names, []string{"gate", "verifier"}) {
		t.Errorf("the gate's host has the cookies %v, want gate and verifier", names)
	}
	b.path = nil
	if r := b.open(gateURL + "/dashboard"); r.status != http.StatusOK || len(b.path) != 1 {
		t.Errorf("the next page: status %d by way of %v, want it at once", r.status, b.path)
	}
	// Our sign-in page redirects a signed-in user there too.
	if b.open(ownURL + "/en/login?return_to=/tailor"); b.at != gateURL+"/tailor" {
		t.Errorf("the sign-in page leads to %s, want Resume Matcher's page", b.at)
	}
	if b.open(b.path[0]); b.at != gateURL+"/tailor" { // the back button
		t.Errorf("again: led to %s, want Resume Matcher's page", b.at)
	}
}

// Neither the answer with the code nor the one to it may be cached or leave a Referer; the cookie is for this host.
func TestHeadersOfAHandOver(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	b := f.signedIn("grace@example.com")
	address := b.codeFor("/tailor")
	for _, r := range []reply{b.get(b.path[len(b.path)-1]), b.get(address)} {
		if r.header.Get("Referrer-Policy") != "no-referrer" || r.header.Get("Cache-Control") != "no-store" ||
			r.status != http.StatusSeeOther || r.body != "" {
			t.Errorf("status %d, %v; want an empty redirect, no-referrer and no-store", r.status, r.header)
		}
	}
	f.handler.Sessions = NewSessions(f.handler.Auth.Sessions(), testSecrets, true)
	r := f.call("GET", "/tailor", "", gateLine)
	verifier := (&http.Response{Header: r.header}).Cookies()[0]
	r = f.call("GET", strings.TrimPrefix(r.header.Get("Location"), ownURL), "", "Cookie: __Host-session="+
		b.jars["localhost"]["session"])
	r = f.call("GET", strings.TrimPrefix(r.header.Get("Location"), gateURL), "", gateLine, "Cookie: __Host-verifier="+
		verifier.Value)
	for name, c := range map[string]*http.Cookie{"__Host-verifier": verifier,
		"__Host-gate": (&http.Response{Header: r.header}).Cookies()[0]} {
		if c.Name != name || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" ||
			c.Domain != "" || c.MaxAge < 60 {
			t.Errorf("over https got the cookie %v, want %s, Secure, HttpOnly, Lax, for / and no domain", c, name)
		}
	}
}

// A code is good once, in the browser that asked for it, and for the page that it was issued for.
func TestHandOverIsRefused(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	ada, eve := f.signedIn("grace@example.com"), f.signedIn("eve@example.com")
	refused := func(what string, b *tab, address string) {
		t.Helper()
		r := b.get(address)
		if b.jars["resumes.localhost"][gateCookie] != "" || r.status != http.StatusBadRequest ||
			!strings.Contains(r.body, `href="/credits/session"`) {
			t.Errorf("%s: status %d to %q, want 400, no session, and the way to sign in", what, r.status,
				r.header.Get("Location"))
		}
	}
	brought := eve.codeFor("/tailor")
	ada.codeFor("/tailor") // she has a verifier of her own
	refused("another browser's code", ada, brought)
	refused("that code in its own browser, afterwards", eve, brought)
	visitor := f.tab()
	refused("a code in a browser without a verifier", visitor, ada.codeFor("/tailor"))
	good := ada.codeFor("/tailor")
	refused("a code with another letter", ada, good[:len(good)-2]+"__")
	refused("no code", ada, gateURL+"/credits/session?code=x")
	if r := ada.get(good); r.status != http.StatusSeeOther || ada.step(r) != gateURL+"/tailor" {
		t.Fatalf("the good code: status %d to %s, want the page", r.status, ada.step(r))
	}
	if r := ada.get(good); r.status != http.StatusSeeOther || ada.step(r) != gateURL+"/" {
		t.Errorf("the code again, signed in: status %d to %s, want the start page", r.status, ada.step(r))
	}
	challenge := auth.Challenge(auth.NewVerifier())
	for name, query := range map[string]string{
		"another host":         "return_to=https%3A%2F%2Fevil.example%2F&challenge=" + challenge,
		"another host, hidden": "return_to=%2F%2Fevil.example%2F&challenge=" + challenge,
		"a page of ours":       "return_to=%2Fen%2Fbilling&challenge=" + challenge,
		"a closed page":        "return_to=%2Fprint%2Fresumes%2F1&challenge=" + challenge,
		"no page":              "challenge=" + challenge,
		"no challenge of ours": "return_to=%2Ftailor&challenge=x",
		"a longer challenge":   "return_to=%2Ftailor&challenge=" + challenge + "x",
		"nothing":              "",
	} {
		r := ada.get(ownURL + "/auth/resume-matcher?" + query)
		if r.status != http.StatusBadRequest || r.header.Get("Location") != "" {
			t.Errorf("%s: status %d to %q, want 400", name, r.status, r.header.Get("Location"))
		}
	}
}

// Twenty requests show a code at once, and one gets the session.
func TestTwentyShowACodeAtOnce(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	b := f.signedIn("grace@example.com")
	u, err := url.Parse(b.codeFor("/tailor"))
	if err != nil {
		t.Fatal(err)
	}
	cookie := "Cookie: verifier=" + b.jars["resumes.localhost"][verifierCookie]
	var opened, refused atomic.Int64
	dbtest.Concurrently(20, func(int) {
		switch r := f.call("GET", u.RequestURI(), "", gateLine, cookie); r.status {
		case http.StatusSeeOther:
			opened.Add(1)
		case http.StatusBadRequest:
			refused.Add(1)
		}
	})
	if opened.Load() != 1 || refused.Load() != 19 {
		t.Errorf("%d opened and %d refused, want 1 and 19", opened.Load(), refused.Load())
	}
}

// A sign-out at our host ends the session at the gate's host, and the script there tells the next user apart.
func TestSigningOutEndsTheGateToo(t *testing.T) {
	t.Parallel()
	f := newHostsFixture(t)
	b := f.signedIn("grace@example.com")
	first := b.open(gateURL + "/dashboard").body
	list := func() int {
		return f.call("GET", "/api/v1/resumes/list", "", gateLine,
			"Cookie: gate="+b.jars["resumes.localhost"][gateCookie]).status
	}
	if got := list(); got != http.StatusOK {
		t.Fatalf("signed in: status %d, want 200", got)
	}
	her := member{f.fixture, "session=" + b.jars["localhost"]["session"]}
	if r := her.post("/logout", url.Values{}); r.status != http.StatusSeeOther {
		t.Fatalf("sign-out: status %d, want 303", r.status)
	}
	if got := list(); got != http.StatusUnauthorized {
		t.Errorf("signed out: status %d, want 401", got)
	}
	b.jars["localhost"] = f.signedIn("eve@example.com").jars["localhost"]
	second := b.open(gateURL + "/dashboard").body
	user := func(page string) string { return strings.SplitN(page, `data-user="`, 2)[1][:16] }
	if user(first) == user(second) {
		t.Error("the script takes the second user for the first, and keeps the first one's drafts")
	}
}
