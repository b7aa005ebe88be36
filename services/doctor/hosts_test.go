package doctor

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/resume-matcher/credits/services/gate"
)

// Resume Matcher's pages need a host of their own that leads to the same server; without one, production is warned.
func TestHostsOfResumeMatcher(t *testing.T) {
	var own, leads string // of the server behind both hosts
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == gate.SessionPath && r.Host != own {
			http.Redirect(w, r, leads+"?challenge=x", http.StatusSeeOther)
		}
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	own, leads = u.Host, server.URL+gate.HandoverPath
	public := "http://resumes.localhost:" + u.Port()
	base := healthy(t).with("RESUME_MATCHER_URL", matcher(t, strong).URL).with("RESUME_MATCHER_SECRET", strong)
	lines := func(f *fixture, level Level) []string {
		return slices.DeleteFunc(texts(f.check(), level), func(text string) bool {
			return !slices.Contains([]string{
				"doctor.hosts.one", "doctor.hosts.two", "doctor.hosts.unchecked", "doctor.hosts.elsewhere"}, text)
		})
	}
	want := func(t *testing.T, f *fixture, level Level, text ...string) {
		t.Helper()
		if got := lines(f, level); !slices.Equal(got, text) {
			t.Errorf("got %s %v, want %v", level, got, text)
		}
	}
	two := func(t *testing.T) *fixture {
		t.Helper()
		return base.forTest(t).with("APP_URL", server.URL).with("RESUME_MATCHER_PUBLIC_URL", public)
	}
	t.Run("are one, in development", func(t *testing.T) { want(t, base.forTest(t), Warning) })
	t.Run("are one, with real money", func(t *testing.T) {
		want(t, base.forTest(t).live(), Warning, "doctor.hosts.one")
	})
	t.Run("are two", func(t *testing.T) { want(t, two(t), OK, "doctor.hosts.two") })
	t.Run("are two, and the second leads to another installation", func(t *testing.T) {
		leads = "https://credits.example.com" + gate.HandoverPath
		want(t, two(t), Red, "doctor.hosts.elsewhere")
		leads = server.URL + gate.HandoverPath
	})
	t.Run("are two, and the proxy hides the second", func(t *testing.T) {
		own = "resumes.localhost:" + u.Port()
		want(t, two(t), Red, "doctor.hosts.elsewhere")
		own = u.Host
	})
	t.Run("are two, and the second is away", func(t *testing.T) {
		closed, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(closed.Addr().String())
		_ = closed.Close()
		want(t, two(t).with("RESUME_MATCHER_PUBLIC_URL", "http://resumes.localhost:"+port), Red, "doctor.hosts.elsewhere")
	})
	t.Run("are two, and no server runs", func(t *testing.T) {
		want(t, two(t).with("APP_URL", "http://127.0.0.1:9"), Warning, "doctor.hosts.unchecked")
	})
	t.Run("are the same", func(t *testing.T) {
		f := two(t).with("RESUME_MATCHER_PUBLIC_URL", server.URL)
		if got := texts(f.check(), Red); !slices.Equal(got, []string{"doctor.configuration.unlisted"}) {
			t.Errorf("got red %v, want the setting", got)
		}
	})
}
