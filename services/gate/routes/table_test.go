package routes_test

import (
	"errors"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
)

func TestPresetMatches(t *testing.T) {
	t.Parallel()
	table := parsePreset(t)
	for route, want := range map[struct{ method, path string }]struct {
		template string
		kind     routes.Kind
	}{
		{"POST", "/api/v1/resumes/upload"}:                  {"/api/v1/resumes/upload", routes.Charged},
		{"POST", "/api/v1/resumes/01-9_0/retry-processing"}: {"/api/v1/resumes/{id}/retry-processing", routes.Charged},
		{"POST", "/api/v1/resumes/improve/confirm"}:         {"/api/v1/resumes/improve/confirm", routes.NeedsPass},
		{"GET", "/api/v1/resumes"}:                          {"/api/v1/resumes", routes.Free},
		{"GET", "/api/v1/resumes/0190/pdf"}:                 {"/api/v1/resumes/{id}/pdf", routes.Free},
		{"PATCH", "/api/v1/applications/bulk"}:              {"/api/v1/applications/bulk", routes.Free},
		{"PATCH", "/api/v1/applications/0190"}:              {"/api/v1/applications/{id}", routes.Free},
		{"GET", "/api/v1/applications/interview-questions"}: {"/api/v1/applications/interview-questions", routes.Free},
		{"GET", "/api/v1/config/language"}:                  {"/api/v1/config/language", routes.Free},
		{"PUT", "/api/v1/config/language"}:                  {"/api/v1/config/**", routes.Operator},
		{"GET", "/api/v1/config"}:                           {"/api/v1/config/**", routes.Operator},
		{"DELETE", "/api/v1/config/api-keys/open-ai"}:       {"/api/v1/config/**", routes.Operator},
		{"POST", "/api/v1/CONFIG/reset"}:                    {"/api/v1/config/**", routes.Operator},
		{"GET", "/api/v1/health"}:                           {"/api/v1/health", routes.Open},
		{"GET", "/"}:                                        {"/**", routes.Free},
		{"HEAD", "/dashboard"}:                              {"/**", routes.Free},
		{"GET", "/printer"}:                                 {"/**", routes.Free},
		{"GET", "/apis"}:                                    {"/**", routes.Free},
		{"GET", "/_next/Static/a.js"}:                       {"/**", routes.Free},
		{"GET", "/settings"}:                                {"/settings/**", routes.Operator},
		{"GET", "/Settings/"}:                               {"/settings/**", routes.Operator},
		{"GET", "/_next/static/[id]/a.js"}:                  {"/_next/static/**", routes.Open},
		{"GET", "/logo.svg"}:                                {"/logo.svg/**", routes.Open},
	} {
		rule, err := table.Match(route.method, routes.Path(route.path))
		if err != nil || rule.Template != want.template || rule.Kind != want.kind || rule.Method != route.method {
			t.Errorf("%s %s: %+v, %v, want %s, %s", route.method, route.path, rule, err, want.template, want.kind)
		}
	}
}

func TestClosedRoutesAreNotFound(t *testing.T) {
	t.Parallel()
	table := parsePreset(t)
	for _, route := range []struct{ method, path string }{
		{"POST", "/api/v1/resumes/improve"}, {"GET", "/api/v1/resumes/render-drafts/0190"},
		{"GET", "/print"}, {"GET", "/print/resumes/0190"}, {"HEAD", "/Print/resumes/0190"}, {"GET", "/docs"},
		{"GET", "/docs/oauth2-redirect"}, {"GET", "/redoc"}, {"GET", "/OpenAPI.json"}, {"GET", "/_next/image"},
		{"GET", "/_next/image/"}, {"GET", "/_next/data/build/api/v1/status.json"},
	} {
		rule, err := table.Match(route.method, routes.Path(route.path))
		if rule != nil || !fault.Is(err, fault.NotFound) || errors.Is(err, routes.ErrUnlisted) {
			t.Errorf("%s %s: %v, %v, want not found by a rule", route.method, route.path, rule, err)
		}
	}
}

func TestUnlistedRoutesAreNotFound(t *testing.T) {
	t.Parallel()
	table := parsePreset(t)
	for _, route := range []struct{ method, path string }{
		{"GET", "/api"}, {"GET", "/api/v1"}, {"GET", "/api/v1/openapi.json"}, {"GET", "/api/v2/resumes"},
		{"GET", "/api/v1/resumes/upload"}, {"HEAD", "/api/v1/resumes"}, {"OPTIONS", "/api/v1/resumes/upload"},
		{"post", "/api/v1/resumes/upload"}, {"POST", "/api/v1/resumes/Upload"}, {"POST", "/api/v1/resumes/upload/x"},
		{"POST", "/api/v1/ats/screen"}, {"POST", "/api/v1/chat"}, {"GET", "/api/v1/credits-tenant"},
		{"POST", "/api/v1/resumes//retry-processing"}, {"POST", "/api/v1/resumes/a.b/retry-processing"},
		{"GET", "/api/v1/resumes/a,b/pdf"}, {"POST", "/"}, {"POST", "/dashboard"}, {"DELETE", "/settings"},
		{"", "/"}, {"CONNECT", "/"},
	} {
		rule, err := table.Match(route.method, routes.Path(route.path))
		if rule != nil || !fault.Is(err, fault.NotFound) || !errors.Is(err, routes.ErrUnlisted) {
			t.Errorf("%s %s: %v, %v, want not found for want of a rule", route.method, route.path, rule, err)
		}
	}
}

func TestPresetPricesAndBounds(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	bounds := map[string]int{
		"POST /api/v1/resumes/upload": 6 * mib, "POST /api/v1/ats/parse-check": 6 * mib,
		"POST /api/v1/resume-wizard/turn": 4 * mib, "POST /api/v1/resume-wizard/finalize": 4 * mib,
	}
	prices := map[string]string{
		"POST /api/v1/resumes/upload":                       "resume_analysis",
		"POST /api/v1/resumes/{id}/retry-processing":        "resume_analysis",
		"POST /api/v1/enrichment/analyze/{id}":              "resume_analysis",
		"POST /api/v1/resume-wizard/turn":                   "resume_analysis",
		"POST /api/v1/resumes/improve/preview":              "resume_improvement",
		"POST /api/v1/enrichment/enhance":                   "resume_improvement",
		"POST /api/v1/enrichment/regenerate":                "resume_improvement",
		"POST /api/v1/resumes/{id}/generate-cover-letter":   "job_match",
		"POST /api/v1/resumes/{id}/generate-outreach":       "job_match",
		"POST /api/v1/resumes/{id}/generate-interview-prep": "job_match",
	}
	for _, rule := range parsePreset(t).Rules() {
		if rule.Feature != prices[rule.Name()] {
			t.Errorf("%s costs %q, want %q", rule.Name(), rule.Feature, prices[rule.Name()])
		}
		want := bounds[rule.Name()]
		if want == 0 && rule.Method != "GET" && rule.Method != "HEAD" {
			want = mib
		}
		if rule.BodyLimit != want {
			t.Errorf("%s: body of %d bytes, want %d", rule.Name(), rule.BodyLimit, want)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	table := parsePreset(t)
	for _, path := range []routes.Path{"/api/v1/resumes/0190/generate-cover-letter", "/api/v1/resumes/upload"} {
		if got := testing.AllocsPerRun(100, func() { _, _ = table.Match("POST", path) }); got != 0 {
			t.Errorf("%s: %v allocations, want 0", path, got)
		}
	}
}
