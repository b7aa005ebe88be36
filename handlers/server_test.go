package handlers

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/logging"
	"github.com/resume-matcher/credits/services/webhook"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps p.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// count is how many lines hold all of these.
func (j *journal) count(parts ...string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
lines:
	for line := range strings.Lines(j.text.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		n++
	}
	return n
}

// serve has the desk answer on a port, and returns its address and what it logs.
func (d *fixture) serve(slots transport.Slots) (string, *journal) {
	d.t.Helper()
	log := &journal{}
	d.handler.Site.Log = logging.NewLogger(log, slog.LevelInfo, "json")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	d.handler.Webhook = &webhook.Service{DB: d.db, Secrets: []string{"whsec_0123456789"}, Now: models.Now,
		Log: slog.New(slog.DiscardHandler)}
	if slots.Total == 0 {
		listener = d.handler.Listen(d.app, listener)
	} else {
		slots.Refuse = d.handler.refuseConnection(d.app)
		listener = slots.Listen(listener)
	}
	go func() { _ = d.app.Listener(listener) }()
	d.t.Cleanup(func() { _ = d.app.Shutdown() })
	return listener.Addr().String(), log
}

// client is a connection over which a test says what it likes.
type client struct {
	t      testing.TB
	conn   net.Conn
	reader *bufio.Reader
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(15 * time.Second)); err != nil { // which only a hang reaches
		t.Fatal(err)
	}
	return &client{t, conn, bufio.NewReader(conn)}
}

// send writes and reads one answer.
func (c *client) send(text string) (*http.Response, string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
	return c.answer(http.MethodGet)
}

func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res, string(body)
}

// What no route ever sees is answered as everything else: with the headers of every answer, an id that is in the log,
// and a status. The connection ends: where the next request on it begins is not certain.
func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	address, log := d.serve(transport.Slots{})
	const host = "Host: localhost\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"no HTTP":                              {"hello\r\n\r\n", 400},
		"no host":                              {"GET /en HTTP/1.1\r\n\r\n", 400},
		"two hosts":                            {"GET /en HTTP/1.1\r\n" + host + host + "\r\n", 400},
		"a method that nobody knows":           {"PROPFIND /en HTTP/1.1\r\n" + host + "\r\n", 405},
		"one of the API":                       {"BREW /api/credits/balance HTTP/1.1\r\n" + host + "\r\n", 405},
		"HTTP/2.0":                             {"GET /en HTTP/2.0\r\n" + host + "\r\n", 400},
		"a line that continues the one before": {"GET /en HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
		"the same around a body": {"POST /en HTTP/1.1\r\n" + host +
			"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
		"a space in a name": {"GET /en HTTP/1.1\r\n" + host + "X Y: z\r\n\r\n", 400},
		"a bare LF":         {"GET /en HTTP/1.1\r\n" + host + "X: y\n\r\n", 400},
		"too many headers":  {"GET /en HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", headerLimit) + "\r\n\r\n", 413},
	} {
		res, body := dial(t, address).send(c.text)
		id := res.Header.Get("X-Request-ID")
		if res.StatusCode != c.status || !res.Close {
			t.Errorf("%s: %d (closes: %v), want %d and the end", name, res.StatusCode, res.Close, c.status)
		}
		if !strings.HasPrefix(id, "req_") || !strings.Contains(body, id) ||
			log.count(id, `"msg":"request"`, fmt.Sprintf(`"status":%d`, c.status)) != 1 {
			t.Errorf("%s: the id is %q, in the log %d times:\n%s", name, id, log.count(id), body)
		}
		for header, want := range map[string]string{"Content-Security-Policy": "default-src 'none'",
			"X-Content-Type-Options": "nosniff",
			"X-Frame-Options":        "DENY", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin"} {
			if !strings.Contains(res.Header.Get(header), want) {
				t.Errorf("%s: %s is %q, want %q in it", name, header, res.Header.Get(header), want)
			}
		}
	}
}

// HEAD has the status and the headers of GET everywhere, and no body.
func TestHead(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.sell()
	address, log := d.serve(transport.Slots{})
	cookie := "Cookie: " + d.signIn(d.user("ada@example.com", 100).ID) + "\r\n"
	d.handler.Site.Ready = func(context.Context) error { return nil }
	tried := 0
	for _, route := range d.app.GetRoutes(true) {
		if route.Method != fiber.MethodGet || strings.HasPrefix(route.Path, "/auth/") {
			continue
		}
		path := strings.NewReplacer(":locale<regex(^(de|en)$)>", "en", ":id", "00000000-0000-7000-8000-000000000000", "*",
			"x").Replace(route.Path)
		for who, line := range map[string]string{"nobody": "", "a user": cookie} {
			tried++
			get, _ := dial(t, address).send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + line +
				"Connection: close\r\n\r\n")
			c := dial(t, address)
			if _, err := io.WriteString(c.conn, "HEAD "+path+" HTTP/1.1\r\nHost: localhost\r\n"+line+
				"Connection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			head, _ := c.answer(http.MethodHead)
			if rest, err := io.ReadAll(c.reader); err != nil || len(rest) > 0 {
				t.Errorf("HEAD %s as %s has a body: %q (%v)", path, who, rest, err)
			}
			if head.StatusCode != get.StatusCode {
				t.Errorf("HEAD %s as %s: %d, and GET %d", path, who, head.StatusCode, get.StatusCode)
			}
			for name := range get.Header {
				if name != "X-Request-Id" && name != "Date" && name != "Content-Length" &&
					head.Header.Get(name) != get.Header.Get(name) {
					t.Errorf("HEAD %s as %s: %s is %q, and of GET %q", path, who, name, head.Header.Get(name), get.Header.Get(name))
				}
			}
		}
	}
	if got := log.count(`"method":"HEAD"`); got != tried || tried < 40 {
		t.Errorf("%d of %d HEADs are in the log as such", got, tried)
	}
}

// Forms and JSON may have 64 KiB, Stripe's events a MiB; what is larger is refused in words, however it is sent. The
// connection is good for the next request.
func TestBodyLimits(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	address, _ := d.serve(transport.Slots{})
	const tooMuch = "Das waren zu viele Daten auf einmal." // as locales/de.yaml says it
	fixed := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n)) }
	chunked := func(n int) string {
		return fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", n, strings.Repeat("x", n))
	}
	for _, c := range []struct {
		path string
		most int
		fits int // the answer to what is no larger
	}{
		{"/api/stripe/webhook", eventLimit, 400}, {"/healthz", formLimit, 404}, {"/de/purchase", formLimit, 401},
		{"/api/credits/spend", formLimit, 401},
		{"/de/nowhere", formLimit, 401},
	} {
		for framing, send := range map[string]func(int) string{"announced": fixed, "chunked": chunked} {
			conn := dial(t, address)
			for _, step := range []struct{ size, want int }{{c.most, c.fits}, {c.most + 1, 413}, {4 * c.most, 413},
				{1, c.fits}} {
				res, body := conn.send("POST " + c.path + " HTTP/1.1\r\nHost: localhost\r\nAccept-Language: de\r\n" +
					send(step.size))
				if res.StatusCode != step.want {
					t.Errorf("%s, %d bytes %s: %d, want %d", c.path, step.size, framing, res.StatusCode, step.want)
				}
				if step.want == 413 && !strings.Contains(body, tooMuch) {
					t.Errorf("%s, %d bytes %s: the reason is not in German: %s", c.path, step.size, framing, body)
				}
			}
		}
	}
	if d.handler.bodies.UnderWay() != 0 {
		t.Errorf("%d bytes are still under way", d.handler.bodies.UnderWay())
	}
}

// Compressed bodies are refused unread: some bytes of them may stand for any number. Stripe's events are bytes as they
// came, whatever they are said to be.
func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	address, _ := d.serve(transport.Slots{})
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
			t.Errorf("%s: %d, want 400", path, res.StatusCode)
		}
	}
}

// When the bytes of bodies that are under way reach their limit, the next is refused for the moment, and is told when
// to come again.
func TestBodyBudget(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.handler.bodies.Total, d.handler.bodies.Share = 80<<10, 80<<10
	address, log := d.serve(transport.Slots{})
	slow := dial(t, address)
	if _, err := io.WriteString(slow.conn,
		"POST /en/purchase HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n"+
			strings.Repeat("x", 39_999)); err != nil {
		t.Fatal(err)
	}
	dbtest.Eventually(t, "the first body is under way", func() bool { return d.handler.bodies.UnderWay() >= 39_999 })
	res, body := dial(t, address).
		send("POST /api/credits/spend HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n" +
			strings.Repeat("x", 20_000))
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, `"UNAVAILABLE"`) {
		t.Errorf("beyond the limit: %d, Retry-After %q, %s", res.StatusCode, res.Header.Get("Retry-After"), body)
	}
	if log.count(`"level":"WARN"`, `"problem":"busy"`) != 1 || log.count(`"level":"ERROR"`) != 0 {
		t.Error("it is not in the log as something that we refused")
	}
	if res, _ := slow.send("x"); res.StatusCode != 401 {
		t.Errorf("the first: %d, want the answer to nobody's form", res.StatusCode)
	}
	dbtest.Eventually(t, "all is given back", func() bool { return d.handler.bodies.UnderWay() == 0 })
}

// Whoever keeps every connection that they may have loses the oldest, and nobody else notices. When all are at work, a
// further one is told to come again, in the words of every other answer.
func TestSlots(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	address, log := d.serve(transport.Slots{Total: 16, PerNetwork: 8})
	const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	var kept []*client
	for range 100 {
		c := dial(t, address)
		if res, _ := c.send(get); res.StatusCode != 200 {
			t.Fatalf("connection %d: %d", len(kept), res.StatusCode)
		}
		kept = append(kept, c)
	}
	if _, err := kept[0].reader.ReadByte(); err != io.EOF {
		t.Errorf("the oldest connection ends with %v, want it closed without a word", err)
	}
	if res, _ := kept[99].send(get); res.StatusCode != 200 {
		t.Errorf("the newest: %d, want it kept", res.StatusCode)
	}
	release := make(chan struct{})
	busy := make(chan struct{}, 8)
	d.handler.Site.Ready = func(context.Context) error { busy <- struct{}{}; <-release; return nil }
	for range 8 {
		c := dial(t, address)
		if _, err := io.WriteString(c.conn, strings.Replace(get, "healthz", "readyz", 1)); err != nil {
			t.Fatal(err)
		}
		<-busy
	}
	res, body := dial(t, address).answer(http.MethodGet)
	id := res.Header.Get("X-Request-ID")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || res.Header.Get("Content-Security-Policy") == "" ||
		!strings.Contains(body, id) || log.count(id, `"status":503`) != 1 {
		t.Errorf("beyond the limit: %d %v", res.StatusCode, res.Header)
	}
	close(release)
}

// The sandbox answers under its own names alone, so that no page elsewhere can have its name lead here.
func TestSandboxHosts(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.handler.Site.Sandbox, d.handler.Site.AppURL = true, "http://credits.test:3000"
	address, _ := d.serve(transport.Slots{})
	for host, want := range map[string]int{
		"localhost": 200, "localhost:3000": 200, "LOCALHOST": 200, "localhost.": 200, "127.0.0.1:1": 200, "[::1]:3000": 200,
		"app.localhost": 200, "credits.test:3000": 200,
		"credits.test": 200, "evil.example": 421, "localhost.evil.example": 421, "evil.example:3000": 421, "192.0.2.2": 421,
		"127.0.0.1.evil.example": 421, "0.0.0.0": 421,
	} {
		if res, _ := dial(t, address).send("GET /healthz HTTP/1.1\r\nHost: " + host + "\r\n\r\n"); res.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, res.StatusCode, want)
		}
	}
	d.handler.Site.Sandbox = false
	if res, _ := dial(t, address).send("GET /healthz HTTP/1.1\r\nHost: 10.0.0.7\r\n\r\n"); res.StatusCode != 200 {
		t.Errorf("outside the sandbox: %d, want 200: what stands in front asks by address", res.StatusCode)
	}
}
