package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The two hosts of hostsFixture.
const (
	ownURL   = "http://localhost"
	gateURL  = "http://resumes.localhost"
	gateLine = "Host: resumes.localhost"
)

// hostsFixture is the server in front of a Resume Matcher that has a host of its own.
type hostsFixture struct {
	*gateFixture
}

func newHostsFixture(t testing.TB) *hostsFixture {
	t.Helper()
	f := &hostsFixture{newGateFixture(t)}
	f.handler.Site.GateURL = gateURL
	f.app = NewApp(f.handler)
	return f
}

// tab is a browser's tab. It keeps the cookies of each host apart, and follows redirects and Refresh.
type tab struct {
	*hostsFixture
	jars map[string]map[string]string // by host
	path []string                     // addresses that it was led through
	at   string
}

func (f *hostsFixture) tab() *tab {
	return &tab{hostsFixture: f, jars: map[string]map[string]string{"localhost": {}, "resumes.localhost": {}}}
}

// get requests one address.
func (b *tab) get(address string) reply {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	jar := b.jars[u.Host]
	var cookies []string
	for name, value := range jar {
		cookies = append(cookies, name+"="+value)
	}
	r := b.call("GET", u.RequestURI(), "", "Host: "+u.Host, "Cookie: "+strings.Join(cookies, "; "), "Accept-Language: en")
	for _, cookie := range (&http.Response{Header: r.header}).Cookies() {
		if jar[cookie.Name] = cookie.Value; cookie.MaxAge < 0 {
			delete(jar, cookie.Name)
		}
	}
	b.path, b.at = append(b.path, address), address
	return r
}

// step returns the address that an answer leads to, "" for none.
func (b *tab) step(r reply) string {
	b.t.Helper()
	next := r.header.Get("Location")
	if refresh, ok := strings.CutPrefix(r.header.Get("Refresh"), "0; url="); ok {
		next = refresh
	}
	base, err := url.Parse(b.at)
	if next == "" || err != nil {
		return ""
	}
	to, err := base.Parse(next)
	if err != nil {
		b.t.Fatal(err)
	}
	return to.String()
}

// open requests an address and follows where it leads, to a page or to the sign-in provider.
func (b *tab) open(address string) reply {
	b.t.Helper()
	b.path = nil
	for range 10 {
		r := b.get(address)
		address = b.step(r)
		if u, err := url.Parse(address); err != nil || b.jars[u.Host] == nil {
			return r
		}
	}
	b.t.Fatalf("a circle: %v", b.path)
	return reply{}
}

// openUntil is open, but returns the first address with this prefix instead of requesting it.
func (b *tab) openUntil(address, prefix string) string {
	b.t.Helper()
	for range 10 {
		if address = b.step(b.get(address)); strings.HasPrefix(address, prefix) {
			return address
		}
	}
	b.t.Fatalf("led through %v, want %s", b.path, prefix)
	return ""
}

// signIn signs in at our host's sign-in page, which the tab shows, and follows where that leads.
func (b *tab) signIn(email string) reply {
	b.t.Helper()
	page, err := url.Parse(b.at)
	if err != nil || page.Path != "/en/login" {
		b.t.Fatalf("at %s, want the sign-in page", b.at)
	}
	back := page.Query().Get("return_to")
	r := b.get(ownURL + "/auth/oidc?locale=en&return_to=" + url.QueryEscape(back))
	return b.open(ownURL + b.callbackFor(r.header.Get("Location"), email))
}

// codeFor returns the address with the code that a signed-in tab is led to from a page of the gate's host.
func (b *tab) codeFor(page string) string {
	b.t.Helper()
	return b.openUntil(gateURL+page, gateURL+"/credits/session?code=")
}

// signedIn returns a tab of a new user who is signed in at our host only.
func (f *hostsFixture) signedIn(email string) *tab {
	f.t.Helper()
	b := f.tab()
	b.jars["localhost"]["session"] = strings.TrimPrefix(f.signIn(f.fixture.user(email, 0).ID), "session=")
	return b
}

// gateCookie signs a new user in at both hosts and returns the header line with the cookie of the gate's.
func (f *hostsFixture) gateCookie(email string) string {
	f.t.Helper()
	b := f.signedIn(email)
	b.open(gateURL + "/dashboard")
	return "Cookie: gate=" + b.jars["resumes.localhost"][gateCookie]
}
