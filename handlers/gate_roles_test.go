package handlers

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/gate/routes"
)

// The kind of each rule in the preset decides who passes: a stranger, a user or an admin. A service key opens nothing.
func TestEveryGateRouteKnowsItsRoles(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	admin := "Cookie: " + f.signIn(f.boss().ID)
	_, key := f.serviceKey("spend")
	const refused, signIn, gone, passes = http.StatusForbidden, http.StatusUnauthorized, http.StatusNotFound, 0
	want := map[routes.Kind][3]int{ // for a stranger, a user, an admin
		routes.Open: {passes, passes, passes}, routes.Closed: {gone, gone, gone}, routes.Operator: {signIn, refused, passes},
		routes.Free: {signIn, passes, passes}, routes.Charged: {signIn, passes, passes},
		routes.NeedsPass: {signIn, passes, passes},
	}
	path := strings.NewReplacer("/**", "/x", "{id}", "1")
	for _, rule := range f.handler.Gate.Routes.Rules() {
		for i, header := range []string{key, f.cookie, admin} {
			before := f.seen()
			r := f.call(rule.Method, path.Replace(rule.Template), "", header, ownOrigin)
			got := r.status
			if got == http.StatusSeeOther {
				got = signIn // a page
			}
			reached := f.seen() > before || slices.Contains([]int{400, 402, 409, 422}, got) // refused for its content
			if allowed := want[rule.Kind][i] == passes; allowed != reached || !allowed && got != want[rule.Kind][i] {
				t.Errorf("%s for %s: status %d, Resume Matcher reached %t; want %d", rule.Name(),
					[]string{"a stranger", "a user", "an admin"}[i], r.status, reached, want[rule.Kind][i])
			}
		}
	}
	f.wantCredits("after one request to each route, none with a result", 100, 0)
}
