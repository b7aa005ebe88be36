package handlers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/health"
)

// A request that the HTTP parser rejects gets the headers of every response, a status and a logged request id. The
// server closes the connection, because it cannot know where the next request begins.
func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address, log := f.serve(transport.Slots{})
	const host = "Host: localhost\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"not HTTP":                     {"hello\r\n\r\n", 400},
		"no host":                      {"GET /en HTTP/1.1\r\n\r\n", 400},
		"two hosts":                    {"GET /en HTTP/1.1\r\n" + host + host + "\r\n", 400},
		"an unknown method":            {"PROPFIND /en HTTP/1.1\r\n" + host + "\r\n", 405},
		"an unknown method on the API": {"BREW /api/credits/balance HTTP/1.1\r\n" + host + "\r\n", 405},
		"HTTP/2.0":                     {"GET /en HTTP/2.0\r\n" + host + "\r\n", 400},
		"a folded header line":         {"GET /en HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
		"a folded framing header": {"POST /en HTTP/1.1\r\n" + host +
			"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
		"a space in a name": {"GET /en HTTP/1.1\r\n" + host + "X Y: z\r\n\r\n", 400},
		"a bare LF":         {"GET /en HTTP/1.1\r\n" + host + "X: y\n\r\n", 400},
		"too large":         {"GET /en HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", headerLimit) + "\r\n\r\n", 413},
	} {
		res, body := dial(t, address).send(c.text)
		id := res.Header.Get("X-Request-ID")
		if res.StatusCode != c.status || !res.Close {
			t.Errorf("%s: status %d, closes %v; want status %d and a closed connection", name, res.StatusCode, res.Close,
				c.status)
		}
		if !strings.HasPrefix(id, "req_") || !strings.Contains(body, id) ||
			log.count(id, `"msg":"request"`, fmt.Sprintf(`"status":%d`, c.status)) != 1 {
			t.Errorf("%s: request id %q is logged %d times, want once and in the body:\n%s", name, id, log.count(id), body)
		}
		for header, want := range map[string]string{"Content-Security-Policy": "default-src 'none'",
			"X-Content-Type-Options": "nosniff",
			"X-Frame-Options":        "DENY", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin"} {
			if !strings.Contains(res.Header.Get(header), want) {
				t.Errorf("%s: %s = %q, want it to contain %q", name, header, res.Header.Get(header), want)
			}
		}
	}
}

// A request whose time is up still gets the error page, although rendering refuses an ended context.
func TestErrorPageAfterTheDeadline(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	app := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
	app.Get("/:locale/billing", f.handler.identifyRequest(time.Nanosecond), func(c *fiber.Ctx) error {
		<-c.UserContext().Done()
		return fmt.Errorf("read the balance: %w", c.UserContext().Err())
	})
	for _, request := range []string{"false", "true"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/de/billing", nil)
		r.Header.Set("HX-Request", request)
		res, err := app.Test(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if id := res.Header.Get("X-Request-ID"); res.StatusCode != 503 || res.Header.Get("Retry-After") != "5" ||
			!strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || !strings.Contains(string(body), id) {
			t.Errorf("HX-Request %s: status %d, type %s, want 503 and a page with request id %s: %s", request, res.StatusCode,
				res.Header.Get("Content-Type"), id, body)
		}
	}
}

// HEAD returns the status and headers of GET on every route, without a body.
func TestHeadMatchesGet(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	address, log := f.serve(transport.Slots{})
	cookie := "Cookie: " + f.signIn(f.user("ada@example.com", 100).ID) + "\r\n"
	tried := 0
	for _, route := range f.app.GetRoutes(true) {
		if route.Method != fiber.MethodGet || strings.HasPrefix(route.Path, "/auth/") {
			continue
		}
		path := strings.NewReplacer(":locale<regex(^(de|en)$)>", "en", ":id", "00000000-0000-7000-8000-000000000000", "*",
			"x").Replace(route.Path)
		for who, line := range map[string]string{"a visitor": "", "a user": cookie} {
			tried++
			get, _ := dial(t, address).send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + line +
				"Connection: close\r\n\r\n")
			c := dial(t, address)
			if _, err := io.WriteString(c.conn, "HEAD "+path+" HTTP/1.1\r\nHost: localhost\r\n"+line+
				"Connection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			head, _ := c.receive(http.MethodHead)
			if rest, err := io.ReadAll(c.reader); err != nil || len(rest) > 0 {
				t.Errorf("HEAD %s as %s: body %q (%v), want none", path, who, rest, err)
			}
			if head.StatusCode != get.StatusCode {
				t.Errorf("HEAD %s as %s: status %d, want %d as for GET", path, who, head.StatusCode, get.StatusCode)
			}
			for name := range get.Header {
				if name != "X-Request-Id" && name != "Date" && name != "Content-Length" &&
					head.Header.Get(name) != get.Header.Get(name) {
					t.Errorf("HEAD %s as %s: %s = %q, want %q as for GET", path, who, name, head.Header.Get(name),
						get.Header.Get(name))
				}
			}
		}
	}
	if got := log.count(`"method":"HEAD"`); got != tried || tried < 40 {
		t.Errorf("%d of %d HEAD requests are logged, want all and at least 40", got, tried)
	}
}

// A network that exceeds its connections loses its oldest idle one. When all of them are busy, a further connection
// gets 503 with the headers of every response.
func TestSlots(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address, log := f.serve(transport.Slots{Total: 16, PerNetwork: 8})
	const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	var kept []*rawClient
	for range 100 {
		c := dial(t, address)
		if res, _ := c.send(get); res.StatusCode != 200 {
			t.Fatalf("connection %d: status %d, want 200", len(kept), res.StatusCode)
		}
		kept = append(kept, c)
	}
	if _, err := kept[0].reader.ReadByte(); err != io.EOF {
		t.Errorf("the oldest connection reads %v, want EOF", err)
	}
	if res, _ := kept[99].send(get); res.StatusCode != 200 {
		t.Errorf("the newest connection: status %d, want 200", res.StatusCode)
	}
	release := make(chan struct{})
	busy := make(chan struct{}, 8)
	f.handler.Health.Check = func(context.Context) []health.Problem { busy <- struct{}{}; <-release; return nil }
	for range 8 {
		// The server may not wait for an idle client's next request yet, and then refuses the new one.
		dbtest.Eventually(t, "a request displaces an idle connection", func() bool {
			c, refused := dial(t, address), make(chan struct{})
			if _, err := io.WriteString(c.conn, strings.Replace(get, "healthz", "readyz", 1)); err != nil {
				return false
			}
			go func() {
				defer close(refused)
				_, _ = c.reader.Peek(1)
			}()
			select {
			case <-busy:
				return true
			case <-refused:
				return false
			}
		})
	}
	res, body := dial(t, address).receive(http.MethodGet)
	id := res.Header.Get("X-Request-ID")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || res.Header.Get("Content-Security-Policy") == "" ||
		!strings.Contains(body, id) || log.count(id, `"status":503`) != 1 {
		t.Errorf("over the limit: status %d, want a complete and logged 503: %v", res.StatusCode, res.Header)
	}
	close(release)
}

// The sandbox answers only its own host names, which defeats DNS rebinding by another site's page.
func TestSandboxHosts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.handler.Site.ThisMachine, f.handler.Site.AppURL = true, "http://credits.test:3000"
	address, _ := f.serve(transport.Slots{})
	for host, want := range map[string]int{
		"localhost": 200, "localhost:3000": 200, "LOCALHOST": 200, "localhost.": 200, "127.0.0.1:1": 200, "[::1]:3000": 200,
		"app.localhost": 200, "credits.test:3000": 200,
		"credits.test": 200, "evil.example": 421, "localhost.evil.example": 421, "evil.example:3000": 421, "192.0.2.2": 421,
		"127.0.0.1.evil.example": 421, "0.0.0.0": 421,
	} {
		if res, _ := dial(t, address).send("GET /healthz HTTP/1.1\r\nHost: " + host + "\r\n\r\n"); res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", host, res.StatusCode, want)
		}
	}
	f.handler.Site.ThisMachine = false
	if res, _ := dial(t, address).send("GET /healthz HTTP/1.1\r\nHost: 10.0.0.7\r\n\r\n"); res.StatusCode != 200 {
		t.Errorf("outside the sandbox: status %d, want 200, because load balancers send the address", res.StatusCode)
	}
}
