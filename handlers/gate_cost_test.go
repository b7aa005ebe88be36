package handlers

import (
	"net/http"
	"testing"
)

// Session, account, right and tenant id are read in one statement.
func TestStatementsOfOneRequest(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	statements := f.countStatements()
	for _, c := range []struct {
		what, path, header string
		status             int
		want               int64
	}{
		{"the user's first request, which makes the tenant id", "/api/v1/resumes/list", f.cookie, http.StatusOK, 2},
		{"a free request", "/api/v1/resumes/list", f.cookie, http.StatusOK, 1},
		{"a page", "/dashboard", f.cookie, http.StatusOK, 1},
		{"a file that needs no session", "/logo.svg", f.cookie, http.StatusOK, 0},
		{"a request without a session", "/api/v1/resumes/list", "", http.StatusUnauthorized, 0},
		{"a page of ours", "/en/login", f.cookie, http.StatusSeeOther, 1},
		{"the state of the script, with the prices", "/credits/embed.json", f.cookie, http.StatusOK, 2},
	} {
		before := statements.Load()
		r := f.call("GET", c.path, "", c.header)
		if got := statements.Load() - before; r.status != c.status || got != c.want {
			t.Errorf("%s: status %d with %d statements, want %d with %d", c.what, r.status, got, c.status, c.want)
		}
	}
}
