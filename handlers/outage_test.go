package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/handlers/transport"
)

// While the database is away, one line says so, however many requests fail. The next answer to a user tells how many.
func TestOutageIsTwoLines(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address, log := f.serve(transport.Slots{})
	away := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
	away.Get("/", func(*fiber.Ctx) error { return fmt.Errorf("read the balance: %w", context.DeadlineExceeded) })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			res, err := away.Test(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), -1)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", res.StatusCode)
			}
		})
	}
	all.Wait()
	dial(t, address).send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") // proves nothing
	if got := log.count(`"level":"ERROR"`, "database does not answer"); got != 1 || log.count("answers again") != 0 {
		t.Errorf("%d error lines during the outage, want 1 and no recovery", got)
	}
	cookie := f.signIn(f.user("ada@example.com", 10).ID)
	for range 2 {
		dial(t, address).send("GET /en/billing HTTP/1.1\r\nHost: localhost\r\nCookie: " + cookie + "\r\n\r\n")
	}
	if log.count("database answers again", `"failed_requests":20`) != 1 || log.count("answers again") != 1 {
		t.Error("want one line that tells of 20 failed requests")
	}
}
