package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/resume-matcher/credits/handlers/transport"
)

// A template that fails leaves nothing of its page in the answer, which is rendered where the answer's body is.
func TestFailingTemplateLeavesNoHalfPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.serve(transport.Slots{})
	app := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
	app.Use(recover.New())
	for path, failure := range map[string]func() error{
		"/error": func() error { return errors.New("broken") },
		"/panic": func() error { panic("broken") },
	} {
		page := templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
			_, _ = io.WriteString(w, strings.Repeat("half a page ", 10_000))
			return failure()
		})
		app.Get(path, func(c *fiber.Ctx) error { return f.handler.render(c, fiber.StatusOK, "landing.page", page) })
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			res, err := app.Test(httptest.NewRequestWithContext(t.Context(), method, path, nil), -1)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusInternalServerError || strings.Contains(string(body), "half a page") ||
				method == http.MethodGet && strings.Count(string(body), "</html>") != 1 {
				t.Errorf("%s %s: status %d and %d bytes (%v), want 500 and only the page of the error", method, path,
					res.StatusCode, len(body), err)
			}
		}
	}
}
