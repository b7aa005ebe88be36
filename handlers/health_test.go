package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/health"
)

// /readyz names the problems, and is 503 only for what other replicas may do better.
func TestReadyNamesWhatIsIll(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct {
		problems []health.Problem
		status   int
		body     string
	}{
		{nil, 200, `{"status":"ok","problems":[]}`},
		{[]health.Problem{health.EventsOverdue, health.ClockDiffers}, 200,
			`{"status":"degraded","problems":["events_overdue","clock_differs"]}`},
		{[]health.Problem{health.EventsOverdue, health.DatabaseFull}, 503,
			`{"status":"unavailable","problems":["events_overdue","database_full"]}`},
	} {
		f.handler.Health.Check = func(context.Context) []health.Problem { return c.problems }
		if r := f.call(http.MethodGet, "/readyz", ""); r.status != c.status || r.body != c.body {
			t.Errorf("%v: status %d, %s; want %d, %s", c.problems, r.status, r.body, c.status, c.body)
		}
	}
}

// With every connection of the pool in use, a health check still asks the database.
func TestReadyWithTheUsedUpPool(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	own, err := postgres.OpenSized(dbtest.URLOf(f.db), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(own) })
	service := &health.Service{DB: own, Schema: &postgres.SchemaCheck{DB: own, Now: models.Now}, Now: models.Now,
		Log: f.handler.Site.Log}
	f.handler.Health = Health{Check: service.Check, NoteFull: service.NoteFull}
	pool, err := f.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	taken, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r := f.call(http.MethodGet, "/healthz", ""); r.status != 200 {
		t.Errorf("/healthz: status %d, want 200: %s", r.status, r.body)
	}
	// A busy machine may not answer within the check's time limit at once.
	dbtest.Eventually(t, "/readyz answers 200", func() bool { return f.call(http.MethodGet, "/readyz", "").status == 200 })
	taken.Close()
}

// A request that fails because the database's disk is full shows in /readyz.
func TestReadyKnowsOfAFullDisk(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	noted := 0
	f.handler.Health.NoteFull = func() { noted++ }
	app := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
	app.Get("/:code", func(c *fiber.Ctx) error {
		return fmt.Errorf("post: %w", &pgconn.PgError{Code: c.Params("code")})
	})
	for _, code := range []string{"53100", "23514", "57014"} { // disk_full, and others
		res, err := app.Test(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+code, nil), -1)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if noted != 1 {
		t.Errorf("%d full disks noted, want 1", noted)
	}
}
