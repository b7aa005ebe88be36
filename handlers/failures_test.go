package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/services/fault"
)

// A service that stays away for two hours, with a request every second, is seven lines, which count the requests.
func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	var f failures
	start := time.Unix(1_800_000_000, 0)
	var lines []int
	total := 0
	for second := range 7200 {
		if n := f.count("service", start.Add(time.Duration(second)*time.Second)); n > 0 {
			lines, total = append(lines, second/60), total+n
		}
	}
	if want := []int{0, 1, 3, 7, 15, 31, 63}; !slices.Equal(lines, want) || total != 63*60+1 {
		t.Errorf("lines in minutes %v about %d requests, want %v about %d", lines, total, want, 63*60+1)
	}
	if n := f.count("another service", start); n != 1 {
		t.Errorf("the first failure of another service: %d to log, want 1", n)
	}
	f.count("service", start.Add(100*time.Hour))
	if n := f.count("service", start.Add(100*time.Hour+minFailurePause)); n != 1 {
		t.Errorf("a minute after the begin of another outage: %d to log, want 1", n)
	}
}

// Neither a sign-in provider nor Stripe is taken for the database, and each is one line, however many requests fail.
func TestServicesThatAreAwayAreOneLine(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, log := f.serve(transport.Slots{})
	away := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
	for path, cause := range map[string]error{
		"/provider": &net.OpError{Op: "dial", Err: errors.New("connection refused")},
		"/stripe":   fmt.Errorf("stripe: no_answer: %w", context.DeadlineExceeded),
	} {
		away.Get(path, func(*fiber.Ctx) error { return fmt.Errorf("order: %w", fault.Wrap(fault.Unavailable, cause)) })
		for range 20 {
			res, err := away.Test(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil), -1)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: status %d, want 503", path, res.StatusCode)
			}
		}
		if got := log.count(`"level":"ERROR"`, "service unavailable", path); got != 1 {
			t.Errorf("%s: %d error lines for 20 requests, want 1", path, got)
		}
	}
	if log.count("database") != 0 || f.handler.outage.Load() != 0 {
		t.Error("the log blames the database")
	}
}

// A service that is away hides no trouble with the database on the same route.
func TestSlowDatabaseIsLoggedBesideAnotherService(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, log := f.serve(transport.Slots{})
	causes := []error{fault.Wrap(fault.Unavailable, context.DeadlineExceeded), &pgconn.PgError{Code: "55P03"}}
	both := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
	both.Get("/order/:cause", func(c *fiber.Ctx) error {
		n, err := c.ParamsInt("cause")
		return errors.Join(err, causes[n])
	})
	for range 3 {
		for n := range causes {
			order := httptest.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("/order/%d", n), nil)
			res, err := both.Test(order, -1)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
	}
	if all, slow := log.count("service unavailable"), log.count("service unavailable", "55P03"); all != 2 || slow != 1 {
		t.Errorf("%d lines, %d about the database; want one about each cause", all, slow)
	}
}

// A page that fails is logged without its title, which may hold what an admin has searched for.
func TestFailedPageLogsNoTitle(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, log := f.serve(transport.Slots{})
	app := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
	app.Get("/:locale/page", f.handler.identifyRequest(time.Minute), func(c *fiber.Ctx) error {
		return f.handler.renderTitled(c, http.StatusOK, "Search for “Ada Lovelace”",
			templ.ComponentFunc(func(context.Context, io.Writer) error { return errors.New("broken template") }))
	})
	res, err := app.Test(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/en/page", nil), -1)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	causes, names := log.count("broken template"), log.count("Lovelace")
	if res.StatusCode != http.StatusInternalServerError || causes != 1 || names != 0 {
		t.Errorf("status %d, %d lines with the cause and %d with the name, want 500, 1 and 0", res.StatusCode, causes, names)
	}
}
