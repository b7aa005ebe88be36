package resumematcher_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// The frontend's headers are Next's: a year for shared caches on pages, for ever on hashed files.
func TestPagesLookLikeNexts(t *testing.T) {
	t.Parallel()
	f := start(t, secret)
	for path, want := range map[string]struct {
		status            int
		kind, cache, text string
	}{
		"/":                       {200, "text/html", "s-maxage=31536000", "</head>"},
		"/dashboard":              {200, "text/html", "s-maxage=31536000", "</head>"},
		"/resumes/x":              {200, "text/html", "s-maxage=31536000", "</head>"},
		"/settings?_rsc=1":        {200, "text/x-component", "s-maxage=31536000", "/settings"},
		"/_next/static/x/app.css": {200, "text/css", "public, max-age=31536000, immutable", ""},
		"/nothing":                {404, "text/html", "s-maxage=31536000", "</head>"},
		"/openapi.json":           {200, "application/json", "", "/api/v1/resumes/upload"},
		"/print/resumes/x":        {200, "text/html", "s-maxage=31536000", "</head>"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		g, err := do(request)
		if err != nil && want.kind != "application/json" {
			t.Fatal(err)
		}
		if g.StatusCode != want.status || !strings.HasPrefix(g.Header.Get("Content-Type"), want.kind) ||
			g.Header.Get("Cache-Control") != want.cache || !strings.Contains(g.text, want.text) {
			t.Errorf("%s: got %d, %s, %q, want %d, %s, %q, with %s:\n%s", path, g.StatusCode, g.Header.Get("Content-Type"),
				g.Header.Get("Cache-Control"), want.status, want.kind, want.cache, want.text, g.text)
		}
	}
}

func TestEveryTextInEveryLanguage(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("pages/texts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]map[string]string
	if err := yaml.Unmarshal(source, &texts); err != nil {
		t.Fatal(err)
	}
	if len(texts) != 2 || len(texts["en"]) != len(texts["de"]) {
		t.Errorf("got %d languages, %d English and %d German texts", len(texts), len(texts["en"]), len(texts["de"]))
	}
	for language, has := range texts {
		for _, one := range resumematcher.Models {
			if has["model_"+string(one)] == "" {
				t.Errorf("no sentence for the model %s in %s", one, language)
			}
		}
		for _, one := range resumematcher.Transports {
			if has["transport_"+string(one)] == "" {
				t.Errorf("no sentence for the transport %s in %s", one, language)
			}
		}
	}
	files, err := os.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		page, err := os.ReadFile("pages/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\.T\.(\w+)`).FindAllStringSubmatch(string(page), -1) {
			for language := range texts {
				if texts[language][match[1]] == "" {
					t.Errorf("%s: no %s text for %s", file.Name(), language, match[1])
				}
			}
		}
	}
}
