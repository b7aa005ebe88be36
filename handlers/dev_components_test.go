package handlers

import (
	"strings"
	"testing"
)

// The page of all components exists only in development.
func TestComponentsPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, path := range []string{"/dev/components", "/de/dev/components"} {
		f.handler.Site.Development = false
		if r := f.call("GET", path, ""); r.status != 404 {
			t.Errorf("%s in production: status %d, want 404", path, r.status)
		}
	}
	f.handler.Site.Development = true
	if r := f.call("GET", "/dev/components", "", "Accept-Language: de"); r.status != 303 ||
		r.header.Get("Location") != "/de/dev/components" {
		t.Errorf("in development: status %d to %q, want 303 to /de/dev/components", r.status, r.header.Get("Location"))
	}
	if r := f.call("GET", "/de/dev/components", ""); r.status != 200 || !strings.Contains(r.body, "Bausteine") {
		t.Errorf("in development: status %d, want 200 with the German page", r.status)
	}
}
