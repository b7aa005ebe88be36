package doctor

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// matcher starts a Resume Matcher stand-in: with the tenant add-on and its secret, or without.
func matcher(t *testing.T, secret string) *httptest.Server {
	t.Helper()
	app, err := resumematcher.New(resumematcher.Options{Secret: secret, Shared: secret == ""})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	return server
}

// describing starts what answers for a healthy Resume Matcher whose add-on adds some facts.
func describing(t *testing.T, facts string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"version":"1","operations":[],`+facts+`}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestResumeMatcher(t *testing.T) {
	base := healthy(t)
	apart, shared := matcher(t, strong), matcher(t, "")
	behind := func(t *testing.T, url, secret string) *fixture {
		return base.forTest(t).with("RESUME_MATCHER_URL", url).with("RESUME_MATCHER_SECRET", secret)
	}
	t.Run("is not mentioned without its address", func(t *testing.T) {
		if lines := linesAbout(base.forTest(t).check()); len(lines) > 0 {
			t.Errorf("got %v, want no line", lines)
		}
	})
	t.Run("answers, keeps users apart, and has a rule for each operation", func(t *testing.T) {
		c := behind(t, apart.URL, strong)
		c.wantHealthy()
		want := []string{"doctor.resume_matcher.ok", "doctor.resume_matcher.tenants", "doctor.resume_matcher.pdf",
			"doctor.resume_matcher.routes"}
		if lines := linesAbout(c.check()); !slices.Equal(lines, want) {
			t.Errorf("got %v, want %v", lines, want)
		}
	})
	t.Run("is away", func(t *testing.T) {
		behind(t, "http://127.0.0.1:9", strong).wantRed("doctor.resume_matcher.away")
	})
	t.Run("has a backend that is away", func(t *testing.T) {
		behind(t, apart.URL, strong).with("RESUME_MATCHER_API_URL", "http://127.0.0.1:9").
			wantRed("doctor.resume_matcher.away")
	})
	t.Run("is another server", func(t *testing.T) {
		behind(t, base.env["STRIPE_API_BASE"], strong).wantRed("doctor.resume_matcher.unhealthy")
	})
	t.Run("has another secret", func(t *testing.T) {
		behind(t, apart.URL, strings.ToUpper(strong)).wantRed("doctor.resume_matcher.secret")
	})
	t.Run("lost the add-on", func(t *testing.T) {
		behind(t, shared.URL, strong).wantRed("doctor.resume_matcher.no_tenants")
	})
	t.Run("makes its PDFs from our own pages", func(t *testing.T) {
		app := describing(t, `"frontend":"https://credits.example.com"`)
		behind(t, app, strong).with("APP_URL", "https://credits.example.com").wantRed("doctor.resume_matcher.frontend")
	})
	t.Run("makes its PDFs from pages with a public address", func(t *testing.T) {
		behind(t, describing(t, `"frontend":"https://matcher.example.com"`), strong).
			wantWarning("doctor.resume_matcher.frontend_public")
	})
	t.Run("is one for each user, before there is a user", func(t *testing.T) {
		behind(t, "http://matcher-{tenant}.example:3000", strong).wantWarning("doctor.resume_matcher.no_tenant")
	})
	t.Run("is shared by all users", func(t *testing.T) {
		behind(t, shared.URL, "").with("RESUME_MATCHER_SHARED", "true").wantWarning("doctor.resume_matcher.shared")
	})
	t.Run("has no secret for its tenant add-on", func(t *testing.T) {
		behind(t, shared.URL, "").wantRed("doctor.resume_matcher.no_secret")
	})
}

// An operation without a rule is closed, so an operator must learn of it.
func TestOperationsWithoutARule(t *testing.T) {
	base := healthy(t).with("RESUME_MATCHER_URL", matcher(t, strong).URL).with("RESUME_MATCHER_SECRET", strong)
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write := func(text string) *fixture {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return base.forTest(t).with("RESUME_MATCHER_ROUTES", file)
	}
	preset := string(routes.Preset())
	c := write(strings.Replace(preset, "      - POST /api/v1/resumes/{id}/duplicate\n", "", 1))
	c.wantWarning("doctor.resume_matcher.unlisted")
	for _, check := range c.check() {
		if check.Text == "doctor.resume_matcher.unlisted" &&
			check.Args["operations"] != "POST /api/v1/resumes/{resume_id}/duplicate" {
			t.Errorf("got the operations %v, want the one without a rule", check.Args["operations"])
		}
	}
	write("version: 2").wantRed("doctor.resume_matcher.table")
	base.forTest(t).with("RESUME_MATCHER_ROUTES", file+".missing").wantRed("doctor.resume_matcher.table")
}

// linesAbout returns the texts of the findings about Resume Matcher.
func linesAbout(checks []Check) (found []string) {
	for _, c := range checks {
		if c.Area == string(matcherArea) {
			found = append(found, c.Text)
		}
	}
	return found
}
