package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
)

// Over https every cookie is pinned to our host, so that another host of the domain can neither set nor replace one.
func TestCookiesOverHTTPS(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.handler.Sessions = NewSessions(f.handler.Auth.Sessions(), testSecrets, true)
	her := member{f, f.signIn(f.user("ada@example.com", 100).ID)}
	for name, r := range map[string]reply{
		"__Host-locale": f.call("GET", "/de", "", "Accept-Language: en"),
		"__Host-flash":  her.post("/logout", url.Values{}),
	} {
		pinned := slices.ContainsFunc((&http.Response{Header: r.header}).Cookies(), func(c *http.Cookie) bool {
			return c.Name == name && c.Secure && c.HttpOnly && c.SameSite == http.SameSiteLaxMode &&
				c.Path == "/" && c.Domain == ""
		})
		if !pinned {
			t.Errorf("status %d sets %v, want %s, Secure, HttpOnly, Lax, for / and no domain", r.status,
				r.header.Values("Set-Cookie"), name)
		}
	}
	for cookie, want := range map[string]string{"__Host-locale=de": "/de", "locale=de": "/en"} {
		if r := f.call("GET", "/", "", "Accept-Language: en", "Cookie: "+cookie); r.header.Get("Location") != want {
			t.Errorf("with %s / redirects to %s, want %s", cookie, r.header.Get("Location"), want)
		}
	}
}
