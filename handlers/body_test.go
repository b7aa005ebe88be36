package handlers

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models/dbtest"
)

// Forms and JSON are limited to 64 KiB, Stripe's events to 1 MiB. A larger body is refused with a message, whatever its
// framing, and the connection accepts the next request.
func TestBodyLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address, _ := f.serve(transport.Slots{})
	const tooMuch = "Das waren zu viele Daten auf einmal." // from locales/de.yaml
	fixed := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n)) }
	chunked := func(n int) string {
		return fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, strings.Repeat("x", n))
	}
	const form, event = 64 << 10, 1 << 20 // bytes, as the documents promise
	for _, c := range []struct {
		path string
		most int // bytes
		fits int // status for a body within the limit
	}{
		{"/api/stripe/webhook", event, 400}, {"/healthz", form, 404}, {"/de/purchase", form, 303},
		{"/api/credits/spend", form, 401},
		{"/de/nowhere", form, 303},
	} {
		for framing, send := range map[string]func(int) string{"with Content-Length": fixed, "chunked": chunked} {
			conn := dial(t, address)
			for _, step := range []struct{ size, want int }{{c.most, c.fits}, {c.most + 1, 413}, {4 * c.most, 413},
				{1, c.fits}} {
				res, body := conn.send("POST " + c.path + " HTTP/1.1\r\nHost: localhost\r\nAccept-Language: de\r\n" +
					send(step.size))
				if res.StatusCode != step.want {
					t.Errorf("%s, %d bytes %s: status %d, want %d", c.path, step.size, framing, res.StatusCode, step.want)
				}
				if step.want == 413 && !strings.Contains(body, tooMuch) {
					t.Errorf("%s, %d bytes %s: body %s, want the German reason", c.path, step.size, framing, body)
				}
			}
		}
	}
	if f.handler.bodies.UnderWay() != 0 {
		t.Errorf("%d bytes are still reserved, want 0", f.handler.bodies.UnderWay())
	}
}

// Compressed bodies are refused unread, because a few bytes can expand to any size. The webhook ignores the declared
// encoding and reads the raw bytes; TestWebhookAnswers covers it.
func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address, _ := f.serve(transport.Slots{})
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := w.Write(make([]byte, 16<<20)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for _, path := range []string{"/en/purchase", "/api/credits/spend", "/logout"} {
		res, _ := dial(t, address).
			send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
				path, bomb.Len(), bomb.String()))
		if res.StatusCode != 400 {
			t.Errorf("%s: status %d, want 400", path, res.StatusCode)
		}
	}
}

// When the bodies being read reach the total limit, the next body gets 503 with Retry-After.
func TestBodyBudget(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.handler.bodies.Total, f.handler.bodies.Share = 64<<10, 64<<10
	address, log := f.serve(transport.Slots{})
	slow := dial(t, address)
	if _, err := io.WriteString(slow.conn,
		"POST /en/purchase HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n"+
			strings.Repeat("x", 39_999)); err != nil {
		t.Fatal(err)
	}
	dbtest.Eventually(t, "the first body is being read", func() bool { return f.handler.bodies.UnderWay() >= 39_999 })
	res, body := dial(t, address).
		send("POST /api/credits/spend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n" +
			strings.Repeat("x", 20_000))
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, `"UNAVAILABLE"`) {
		t.Errorf("over the limit: status %d, Retry-After %q, want 503 and seconds: %s", res.StatusCode,
			res.Header.Get("Retry-After"), body)
	}
	if log.count(`"level":"WARN"`, `"problem":"busy"`) != 1 || log.count(`"level":"ERROR"`) != 0 {
		t.Error("the refusal is not logged as one warning without an error")
	}
	if res, _ := slow.send("x"); res.StatusCode != 303 {
		t.Errorf("the first body: status %d, want 303 as for a visitor's form", res.StatusCode)
	}
	dbtest.Eventually(t, "all bytes are released", func() bool { return f.handler.bodies.UnderWay() == 0 })
}
