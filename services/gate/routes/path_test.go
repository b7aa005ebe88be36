package routes_test

import (
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
)

func TestCanonicalDecodesOnce(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]struct{ path, query string }{
		"/":                                {"/", ""},
		"/?":                               {"/", ""},
		"/dashboard":                       {"/dashboard", ""},
		"/dashboard/":                      {"/dashboard/", ""},
		"/resumes/0190-ab_C":               {"/resumes/0190-ab_C", ""},
		"/api":                             {"/api", ""},
		"/api/v1/resumes?resume_id=%2F%25": {"/api/v1/resumes", "resume_id=%2F%25"},
		"/settings?_rsc=1a?b":              {"/settings", "_rsc=1a?b"},
		"/%61pi/v1/he%61lth":               {"/api/v1/health", ""},
		"/_next/static/%5Bid%5D/(a)/x.js":  {"/_next/static/[id]/(a)/x.js", ""},
		"/_next/static/[id]/%28a%29/x.js":  {"/_next/static/[id]/(a)/x.js", ""},
		"/apis/v1":                         {"/apis/v1", ""},
		"/x/api/v1":                        {"/x/api/v1", ""},
	} {
		path, query, err := routes.Canonical(target)
		if err != nil || string(path) != want.path || query != want.query {
			t.Errorf("Canonical(%q) = %q, %q, %v, want %q, %q", target, path, query, err, want.path, want.query)
		}
	}
}

func TestCanonicalIsIdempotent(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/%61pi/v1/health?a=%41", "/_next/%5Bid%5D", "/a+b,c=d:e@f!$&'()*"} {
		once, query, err := routes.Canonical(target)
		if err != nil {
			t.Fatalf("%q: %v", target, err)
		}
		twice, _, err := routes.Canonical(string(once) + "?" + query)
		if err != nil || twice != once {
			t.Errorf("Canonical(%q) = %q, %v, want it unchanged", once, twice, err)
		}
	}
}

func TestCanonicalRefusesOtherForms(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"", "*", "api/v1/status", "http://upstream/api/v1/status", "//upstream/x", "@upstream/x", ":80", "?a",
		"/%", "/%6", "/%6g", "/%2561", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a;b", "/a%3bb", "/a#b", "/a%23b", "/a%3fb",
		"/a%00", "/a%0a", "/a\tb", "/a b", "/a%20b", "/a%7f", "/ä", "/%c3%a4", "/%c0%af", "/\uff41pi",
		"/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/../b", "/%2e%2e/a", "/a//b", "/a//",
		"/a?b#c", "/a?b c", "/a?b\n", "/a?\x00",
		"/a?ä", "/" + strings.Repeat("a", 2048), "/?" + strings.Repeat("a", 12<<10+1),
	} {
		if path, _, err := routes.Canonical(target); !fault.Is(err, fault.Malformed) {
			t.Errorf("Canonical(%.40q) = %.40q, %v, want malformed", target, path, err)
		}
	}
}

func TestCanonicalFindsNoOtherAPI(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"/API", "/Api/v1/status", "/aP%49/v1/status", "/api/", "/api/v1/", "/api/v1/status/?a",
	} {
		if path, _, err := routes.Canonical(target); !fault.Is(err, fault.NotFound) {
			t.Errorf("Canonical(%q) = %q, %v, want not found", target, path, err)
		}
	}
}
