package handlers

import (
	"net"
	"testing"
	"time"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models/dbtest"
)

// A server that shuts down answers until it is drained: /readyz 503, all else as before, each on a connection that it
// closes. Then it closes the port.
func TestShutdownDrainsFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address, log := f.serve(transport.Slots{})
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n" }
	kept := dial(t, address)
	for range 2 {
		if res, _ := kept.send(get("/readyz")); res.StatusCode != 200 || res.Close {
			t.Fatalf("before: status %d, closes %v; want 200 on a kept connection", res.StatusCode, res.Close)
		}
	}
	drained, ended := make(chan time.Time), make(chan error, 1)
	go func() { ended <- f.handler.Shutdown(f.app, drained) }()
	dbtest.Eventually(t, "the server drains", func() bool { return log.count("stopping") == 1 })
	if res, _ := kept.send(get("/healthz")); res.StatusCode != 200 || !res.Close {
		t.Errorf("a kept connection: status %d, closes %v; want 200 and a close", res.StatusCode, res.Close)
	}
	for path, want := range map[string]int{"/readyz": 503, "/en/login": 200, "/nowhere": 404, "/en/billing": 303,
		"/api/credits/balance": 401} {
		if res, _ := dial(t, address).send(get(path)); res.StatusCode != want || !res.Close {
			t.Errorf("%s: status %d, closes %v; want %d and a close", path, res.StatusCode, res.Close, want)
		}
	}
	close(drained)
	if err := <-ended; err != nil {
		t.Errorf("shutdown: %v, want success", err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("the port is open, want it closed")
	}
}
