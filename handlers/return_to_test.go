package handlers

import (
	"testing"
)

// After signing in, users return only to our pages: routes with a language that answer GET, whatever their guard.
func TestReturnTo(t *testing.T) {
	t.Parallel()
	h := newFixture(t).handler
	for _, page := range []string{"/de", "/de/billing", "/en/billing?success=true&session_id=cs_1", "/en/purchase/1",
		"/de/history.csv?kind=purchase",
		"/en/admin", "/en/admin/users/1", "/de/api/docs"} {
		if got := h.returnTo(page); got != page {
			t.Errorf("returnTo(%q) = %q, want the page", page, got)
		}
	}
	for _, other := range []string{"", "/", "/logout", "/.evil.example", "/en/nowhere", "/fr/billing",
		"/en/account/sessions/end",
		"/EN/billing", "/api/docs", "/api/credits/balance",
		"/healthz", "/static/x", "/auth/oidc", "/en/purchase/1/2/3", "//evil.example", "/en/admin/nowhere"} {
		if got := h.returnTo(other); got != "" {
			t.Errorf("returnTo(%q) = %q, want \"\"", other, got)
		}
	}
}

// A visitor is redirected to the sign-in and returns to the page afterwards; an htmx request for a part of a page
// redirects the whole page. A form leads back to its page, and admin pages answer 404 to users.
func TestSignedOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := "Cookie: " + f.signIn(f.user("ada@example.com", 0).ID)
	const htmx, shown, back = "HX-Request: true", "HX-Current-URL: http://localhost", "/en/login?return_to="
	for name, c := range map[string]struct {
		method, path string
		header       []string
		status       int
		location     string // Location
		redirect     string // HX-Redirect
	}{
		"a page":        {"GET", "/en/history?kind=purchase", nil, 303, back + "%2Fen%2Fhistory%3Fkind%3Dpurchase", ""},
		"an admin page": {"GET", "/en/admin/events", nil, 303, back + "%2Fen%2Fadmin%2Fevents", ""},
		"no admin page": {"GET", "/en/admin/nowhere", nil, 303, "/en/login", ""},
		"a form":        {"POST", "/en/purchase?package=100", nil, 303, back + "%2Fen%2Fpurchase", ""},
		"the API":       {"GET", "/api/credits/balance", []string{htmx}, 401, "", ""},
		"a filter": {"GET", "/en/history?kind=purchase", []string{htmx, shown + "/en/history"}, 204, "",
			back + "%2Fen%2Fhistory"},
		"a poll": {"GET", "/en/billing?success=true&session_id=cs_x&poll=3",
			[]string{htmx, shown + "/en/billing?success=true&session_id=cs_x"}, 204, "",
			back + "%2Fen%2Fbilling%3Fsuccess%3Dtrue%26session_id%3Dcs_x"},
		"an admin's poll": {"GET", "/en/admin/events", []string{htmx, shown + "/en/admin/events"}, 204, "",
			back + "%2Fen%2Fadmin%2Fevents"},
		"a form by htmx": {"POST", "/en/purchase", []string{htmx, shown + "/en/purchase"}, 204, "",
			back + "%2Fen%2Fpurchase"},
		"a foreign URL": {"GET", "/de/history", []string{htmx, "HX-Current-URL: https://evil.example/en/history"}, 204,
			"", "/de/login"},
		"no current URL":    {"GET", "/de/history", []string{htmx}, 204, "", "/de/login"},
		"a URL not a page":  {"GET", "/de/history", []string{htmx, shown + "/logout"}, 204, "", "/de/login"},
		"a boosted link":    {"GET", "/en/history", []string{htmx, "HX-Boosted: true"}, 303, back + "%2Fen%2Fhistory", ""},
		"a user as admin":   {"GET", "/en/admin/events", []string{user}, 404, "", ""},
		"a user by htmx":    {"GET", "/en/admin/events", []string{user, htmx, shown + "/en/admin/events"}, 404, "", ""},
		"a user at no page": {"GET", "/en/admin/nowhere", []string{user}, 404, "", ""},
	} {
		r := f.call(c.method, c.path, "", c.header...)
		if r.status != c.status || r.header.Get("Location") != c.location || r.header.Get("HX-Redirect") != c.redirect {
			t.Errorf("%s: status %d, Location %q, HX-Redirect %q, want %d, %q, %q", name, r.status, r.header.Get("Location"),
				r.header.Get("HX-Redirect"), c.status, c.location, c.redirect)
		}
		if c.status == 204 && r.body != "" {
			t.Errorf("%s: body %s, want none for htmx", name, r.body)
		}
	}
}
