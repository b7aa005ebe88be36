package resumematcher_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	. "github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// Frontend and backend read a path more tolerantly than the gate may.
func TestSpellingsOfAPathReachTheSameRoute(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	for _, target := range []string{
		"/api/v1/enrichment/analyze/x", "/api/v1/enrichment/%61nalyze/x", "/api/v1/enrichment/%2561nalyze/x",
		"//api/v1//enrichment/analyze/x", "/api/v1/./enrichment/analyze/x", "/auth/../api/v1/enrichment/analyze/x",
		"/auth/%2e%2e/api/v1/enrichment/analyze/x", "/API/v1/enrichment/analyze/x", "/%41pi/v1/enrichment/analyze/x",
		`/api\v1\enrichment/analyze/x`, "/api/v1/enrichment%2fanalyze/x", "/api/v1/enrich%09ment/analyze/x",
	} {
		request := httptest.NewRequest(http.MethodPost, "http://localhost", nil)
		request.URL.Path, request.URL.RawPath = "", ""
		parsed, err := url.Parse("http://localhost" + target)
		if err != nil {
			t.Fatal(err)
		}
		request.URL = parsed
		request.Header.Set("X-Credits-User", anna)
		request.Header.Set("X-Credits-Secret", secret)
		answer := httptest.NewRecorder()
		f.ServeHTTP(answer, request)
		seen := f.Seen()
		if got, want := seen[len(seen)-1].Route, "POST /api/v1/enrichment/analyze/{resume_id}"; got != want {
			t.Errorf("%s: served as %s, want %s", target, got, want)
		}
	}
}

func TestBackendAnswersUnknownPathsLikeFastAPI(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	for route, want := range map[string]struct {
		status       int
		detail, goes string
	}{
		"GET /nothing":      {http.StatusNotFound, "Not Found", ""},
		"DELETE /health":    {http.StatusMethodNotAllowed, "Method Not Allowed", ""},
		"GET /jobs/unknown": {http.StatusNotFound, "Job description not found", ""},
		"GET /health/":      {http.StatusTemporaryRedirect, "", "http://127.0.0.1:8000/api/v1/health"},
	} {
		g := f.send(t, anna, route, nil)
		if g.StatusCode != want.status || want.detail != "" && g.at("detail") != want.detail ||
			g.Header.Get("Location") != want.goes {
			t.Errorf("%s: got %d %q to %q, want %d %q to %q", route, g.StatusCode, g.text, g.Header.Get("Location"),
				want.status, want.detail, want.goes)
		}
	}
	if g := f.send(t, anna, "POST /resumes/improve/preview", map[string]any{"resume_id": "x"}); g.StatusCode != 422 ||
		g.at("detail.0.type") != "missing" || g.at("detail.0.loc.1") != "job_id" {
		t.Errorf("body without job_id: got %d %s, want 422 that names the field", g.StatusCode, g.text)
	}
}

func TestAddonWantsOneIdentity(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	for name, want := range map[string]struct {
		route          string
		users, secrets []string
		status         int
		echo           string
	}{
		"none":                    {"/api/v1/resumes/list", nil, nil, 401, ""},
		"none, for health":        {"/api/v1/health", nil, nil, 200, ""},
		"none, for the tenant":    {"/api/v1/credits-tenant", nil, nil, 401, ""},
		"no user, for the tenant": {"/api/v1/credits-tenant", nil, []string{secret}, 200, ""},
		"no user":                 {"/api/v1/resumes/list", nil, []string{secret}, 401, ""},
		"no secret":               {"/api/v1/resumes/list", []string{anna}, nil, 403, ""},
		"wrong secret":            {"/api/v1/resumes/list", []string{anna}, []string{"x"}, 403, ""},
		"two users":               {"/api/v1/resumes/list", []string{anna, bert}, []string{secret}, 403, ""},
		"two secrets":             {"/api/v1/resumes/list", []string{anna}, []string{secret, secret}, 403, ""},
		"odd user":                {"/api/v1/resumes/list", []string{"../anna"}, []string{secret}, 403, ""},
		"one":                     {"/api/v1/resumes/list", []string{anna}, []string{secret}, 200, anna},
		"one, nothing there":      {"/api/v1/nothing", []string{anna}, []string{secret}, 404, anna},
		"none, for a page":        {"/dashboard", nil, nil, 200, ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+want.route, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["X-Credits-User"], request.Header["X-Credits-Secret"] = want.users, want.secrets
		g, err := do(request)
		if err != nil {
			t.Fatal(err)
		}
		if g.StatusCode != want.status || g.Header.Get("X-Credits-User") != want.echo {
			t.Errorf("identity %q: got %d and user %q, want %d and %q", name, g.StatusCode, g.Header.Get("X-Credits-User"),
				want.status, want.echo)
		}
	}
}

// Each operation as another user finds nothing of the first one's.
func TestUsersHaveTheirOwnData(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	made := f.journey(t, anna)
	for _, route := range []string{
		"GET /resumes?resume_id=" + made.master, "DELETE /resumes/" + made.master, "GET /jobs/" + made.job,
		"GET /applications/" + made.application, "POST /enrichment/analyze/" + made.master,
		"POST /resumes/" + made.tailored + "/generate-cover-letter",
	} {
		if g := f.send(t, bert, route, nil); g.StatusCode != http.StatusNotFound {
			t.Errorf("%s as another user: got %d, want 404", route, g.StatusCode)
		}
	}
	if g := f.send(t, bert, "GET /resumes/list?include_master=true", nil); g.at("data.0") != nil {
		t.Errorf("list of another user: got %s, want an empty one", g.text)
	}
	if g := f.send(t, anna, "DELETE /credits-tenant", nil); g.StatusCode != http.StatusOK {
		t.Fatalf("forget: got %d, want 200", g.StatusCode)
	}
	if g := f.send(t, anna, "GET /resumes/list?include_master=true", nil); g.at("data.0") != nil {
		t.Errorf("list of a forgotten user: got %s, want an empty one", g.text)
	}
}

func TestWithoutTheAddonEverybodySharesOneHousehold(t *testing.T) {
	t.Parallel()
	f := start(t, "")
	made := f.journey(t, anna)
	g := f.send(t, bert, "GET /resumes?resume_id="+made.tailored, nil)
	if g.StatusCode != http.StatusOK || g.at("data.parent_id") != made.master || g.Header.Get("X-Credits-User") != "" {
		t.Errorf("another user: got %d and user %q, want the first one's resume and no user: %s", g.StatusCode,
			g.Header.Get("X-Credits-User"), g.text)
	}
	if g := f.send(t, anna, "GET /credits-tenant", nil); g.StatusCode != http.StatusNotFound {
		t.Errorf("tenant: got %d, want 404", g.StatusCode)
	}
	if g := f.send(t, "", "GET /print/resumes/"+made.master, nil); !strings.Contains(g.text, "Ada Example") {
		t.Errorf("print page: got %s, want the resume", g.text)
	}
	before := len(f.Seen())
	f.send(t, "", "GET /_next/image?url=/api/v1/status&w=1&q=1", nil)
	if seen := f.Seen(); len(seen) != before+2 || seen[before+1].Asked != 1 {
		t.Errorf("image: saw %+v, want a status that asks the model once", seen[before:])
	}
}

// Every operation answers without a fault of the stand-in's own, whatever the model does.
func TestEveryOperationAnswersUnderEveryModel(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	operations, _ := f.send(t, anna, "GET /credits-tenant", nil).at("operations").([]any)
	if len(operations) < 55 {
		t.Fatalf("got %d operations, want those of the description and the newer ones", len(operations))
	}
	for _, model := range Models {
		f.SetModel(Good)
		made := f.journey(t, anna)
		f.SetModel(model)
		body := map[string]any{"resume_id": made.master, "job_id": made.job, "action": "skip", "title": "T", "content": "C",
			"state": map[string]any{"resume_data": map[string]any{}}, "status": "applied", "confirm": "RESET_ALL_DATA",
			"improved_data": map[string]any{}, "improvements": []any{}, "job_descriptions": []string{"J"},
			"job_description": "J", "question": "Q",
			"answers": []any{}, "items": []any{}, "instruction": "I", "enhancements": []any{},
			"regenerated_items": []any{}, "application_ids": []string{made.application}}
		slices.SortFunc(operations, func(a, b any) int { // deletions last
			return strings.Compare(strings.ReplaceAll(a.(string), "DELETE", "~"), strings.ReplaceAll(b.(string), "DELETE", "~"))
		})
		for _, one := range operations {
			route := strings.NewReplacer("/api/v1", "", "{resume_id}", made.tailored, "{job_id}", made.job, "{application_id}",
				made.application, "{provider}", "openai", "{token}", "t").Replace(one.(string))
			var sent any = body
			if strings.HasSuffix(route, "/upload") && strings.Contains(route, "resumes") {
				sent = pdf
			}
			if g := f.send(t, anna, route, sent); g.text == "" || strings.Contains(g.text, "$") || g.StatusCode == 405 {
				t.Errorf("%s, model %s: got %d %q", route, model, g.StatusCode, g.text)
			}
		}
	}
}
