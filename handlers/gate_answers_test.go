package handlers

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// The log says why Resume Matcher's answer did not pass. It quotes none of it: it may be a piece of a resume.
func TestFailuresOfResumeMatcherAreLogged(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, log := f.serve(transport.Slots{})
	list := "GET /api/v1/resumes/list HTTP/1.1\r\nHost: localhost\r\n" + f.cookie + "\r\n\r\n"
	f.matcher.SetTransport(resumematcher.NoUser, "GET /api/v1/resumes/list")
	res, _ := dial(t, address).send(list)
	if res.StatusCode != http.StatusBadGateway || log.count(`"level":"WARN"`, "the tenant add-on is missing") != 1 {
		t.Errorf("without the add-on: status %d, log %s; want 502 and the reason", res.StatusCode, log.text.String())
	}
	f.behind("", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "Ada Example, engineer\r\n\r\n")
			_ = conn.Close()
		}
	})
	res, _ = dial(t, address).send(list)
	if res.StatusCode != http.StatusBadGateway || log.count(`"level":"WARN"`, "upstream_away") != 1 || log.count("Ada") != 0 {
		t.Errorf("rubbish: status %d, log %s; want 502 and no word of the answer", res.StatusCode, log.text.String())
	}
}

// A shared cache keeps files, not errors: one stranger's request for a range that no file has would take the file away
// from everybody.
func TestErrorsAreNotCached(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	status := 0
	f.behind("", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.WriteHeader(status)
	})
	for _, status = range []int{200, 206, 304, 400, 404, 416, 500} {
		want := "private, no-store"
		if status < 400 {
			want = "public, max-age=31536000, immutable"
		}
		r := f.call("GET", "/_next/static/app.js", "")
		if got := r.header.Get("Cache-Control"); r.status != status || got != want {
			t.Errorf("status %d with Cache-Control %q, want %d with %q", r.status, got, status, want)
		}
	}
}

// Next.js follows a redirect of what it prefetches, and comes back from signing in to an address with its own mark.
func TestPrefetchWithoutSession(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	r := f.call("GET", "/dashboard?_rsc=1", "")
	if r.status != http.StatusUnauthorized || r.body != "" || r.header.Get("Location") != "" {
		t.Errorf("status %d to %q with %q; want 401 without a body", r.status, r.header.Get("Location"), r.body)
	}
}

// The log names a route of the API that no rule knows: a newer Resume Matcher may have it. What strangers try elsewhere
// is not worth a warning.
func TestUnlistedRoutesAreLogged(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	address, log := f.serve(transport.Slots{})
	for target, want := range map[string]int{"POST /api/v1/chat": 1, "POST /wp-login.php": 0, "OPTIONS /": 0} {
		res, _ := dial(t, address).send(target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
		_, path, _ := strings.Cut(target, " ")
		got := log.count(`"level":"WARN"`, `"path":"`+path+`"`)
		if res.StatusCode != http.StatusNotFound || got != want {
			t.Errorf("%s: status %d and %d warnings, want 404 and %d", target, res.StatusCode, got, want)
		}
	}
}
