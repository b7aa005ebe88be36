package sandbox_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/sandbox"
)

// The page that breaks the Resume Matcher stand-in leads back to where browsers find Resume Matcher.
func TestControlPageLeadsBackToResumeMatcher(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{"": "http://localhost:3000",
		"http://resumes.localhost:3000": "http://resumes.localhost:3000"} {
		cfg, err := config.Load(config.Variables{"DATA_DIR": t.TempDir(), "RESUME_MATCHER_PUBLIC_URL": public})
		if err != nil {
			t.Fatal(err)
		}
		cfg, server, err := sandbox.StartResumeMatcher(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close(t.Context()) })
		res, err := http.Get(cfg.ResumeMatcher.Control)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		page, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range []string{`id="product" href="` + want + `"`, `href="` + want + `/tailor"`} {
			if !strings.Contains(string(page), link) {
				t.Errorf("with RESUME_MATCHER_PUBLIC_URL=%s the page lacks %s:\n%s", public, link, page)
			}
		}
	}
}
