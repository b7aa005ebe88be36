package gate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
)

// A fork with headers of its own gets those, and only its own mark counts.
func TestOtherIdentityHeaders(t *testing.T) {
	t.Parallel()
	m := newMatcher(t)
	answer := "X-Tenant"
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set(answer, r.Header.Get("X-Tenant"))
	}))
	t.Cleanup(server.Close)
	upstream, err := gate.NewUpstream(server.URL, "", secret)
	m.must(err)
	t.Cleanup(upstream.Close)
	upstream.Identity = routes.Identity{User: "X-Tenant", Secret: "X-Proof"}
	m.replicas[0].Upstream = upstream
	r := get("/resumes/list")
	r.Header.Set("X-Tenant", "forged")
	r.Header.Set("X-Proof", "forged")
	if _, _, err := m.serve(t.Context(), 0, r); err != nil {
		t.Error(err)
	}
	if got.Get("X-Tenant") != m.tenant || got.Get("X-Proof") != secret || got.Get("X-Credits-User") != "" {
		t.Errorf("Resume Matcher got %v, want the tenant and the secret under the fork's names alone", got)
	}
	answer = "X-Credits-User"
	if _, _, err := m.serve(t.Context(), 0, r); !fault.Is(err, fault.Upstream) {
		t.Errorf("another mark: error = %v, want %s", err, fault.Upstream)
	}
}
