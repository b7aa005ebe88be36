package e2e

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
)

// Requests that wait for Resume Matcher cost little memory, and uploads little more than their bytes.
func TestRequestsUnderWayCostLittleMemory(t *testing.T) {
	if raced() { // the limit is for the program as operators run it; the run without the detector checks that one
		t.Skip("with the race detector the program takes several times the memory")
	}
	t.Parallel()
	if runtime.GOOS != "linux" { // operators run it on Linux; elsewhere developers do
		t.Skip("only Linux reports a process's memory in /proc")
	}
	const file = "%PDF-1.4 Ada Example"
	for _, c := range []struct {
		path, body   string
		count, limit int // requests, MiB
	}{
		{"/jobs/upload", `{"job_descriptions":["` + strings.Repeat("Go engineer. ", 300) + `"]}`, 100, 20},
		{"/ats/parse-check", strings.Replace(resumeFile, file, file+strings.Repeat("x", 5<<20), 1), 20, 130},
	} {
		g := newGateFixture(t)
		s := startIn(t, g.dir, append(g.env, "TRUSTED_PROXIES=127.0.0.1,::1")...)
		users := signInMany(s, 10) // each may run few requests at once
		for _, v := range users {
			v.post("/jobs/upload", `{"job_descriptions":["Go engineer"]}`) // allocate what every first request needs
		}
		g.matcher.SetTransport(resumematcher.Slow, "POST /api/v1"+c.path)
		before := s.memory()
		answers := make(chan matcherAnswer, c.count)
		for i := range c.count {
			network := fmt.Sprintf("192.0.2.%d", i) // the bytes in flight are bounded for each
			v := users[i%len(users)]
			go func() { answers <- v.post(c.path, c.body, "X-Forwarded-For", network) }()
		}
		for range c.count {
			select {
			case <-g.matcher.Arrived():
			case answer := <-answers:
				t.Fatalf("%s: status %d (%v), %.200s; want none yet", c.path, answer.status, answer.err, answer.text)
			}
		}
		if grown := s.memory() - before; grown > c.limit {
			t.Errorf("%d times %s: %d MiB, want at most %d", c.count, c.path, grown, c.limit)
		} else {
			t.Logf("%d times %s: %d MiB", c.count, c.path, grown)
		}
		g.matcher.Release()
		for range c.count {
			if answer := <-answers; answer.status != http.StatusOK {
				t.Errorf("%s: status %d (%v), %.200s; want 200", c.path, answer.status, answer.err, answer.text)
			}
		}
	}
}
