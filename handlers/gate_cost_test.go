package handlers

import (
	"fmt"
	"net/http"
	"testing"
)

// Session, account, right and tenant id are read in one round trip.
func TestRoundTripsThroughTheGate(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	var newcomers []string
	for n := range 5 {
		newcomers = append(newcomers, "Cookie: "+f.signIn(f.fixture.user(fmt.Sprintf("u%d@example.com", n), 0).ID))
	}
	for _, c := range []struct {
		what, path string
		headers    []string
		status     int
		want       int64
	}{
		{"a user's first request, which makes the tenant id", "/api/v1/resumes/list", newcomers, http.StatusOK, 2},
		{"a free request", "/api/v1/resumes/list", []string{f.cookie}, http.StatusOK, 1},
		{"a page", "/dashboard", []string{f.cookie}, http.StatusOK, 1},
		{"a file that needs no session", "/logo.svg", []string{f.cookie}, http.StatusOK, 0},
		{"a request without a session", "/api/v1/resumes/list", []string{""}, http.StatusUnauthorized, 0},
		{"a page of ours", "/en/login", []string{f.cookie}, http.StatusSeeOther, 1},
		{"the state of the script, with the prices", "/credits/embed.json", []string{f.cookie}, http.StatusOK, 2},
	} {
		status := 0
		trips := f.roundTrips(func(n int) { status = f.call("GET", c.path, "", c.headers[n%len(c.headers)]).status })
		if status != c.status || trips != c.want {
			t.Errorf("%s: status %d with %d round trips, want %d with %d", c.what, status, trips, c.status, c.want)
		}
	}
}
