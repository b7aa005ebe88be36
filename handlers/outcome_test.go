package handlers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models/postgres"
)

// When COMMIT was not answered, no answer says that nothing has changed. A page offers to send the same form again.
func TestUnknownOutcomeIsNoPromise(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	app := fiber.New(fiber.Config{ErrorHandler: f.handler.handleError})
	app.Use(f.handler.identifyRequest(time.Minute))
	app.Post("/*", func(*fiber.Ctx) error { return &postgres.UnknownError{} })
	for _, c := range []struct {
		name, path, fragment string
		want                 []string
	}{
		{"a program", "/api/credits/spend", "", []string{`"UNAVAILABLE"`, `"outcome_unknown"`, "nicht, ob das geklappt hat"}},
		{"a page", "/de/purchase", "", []string{"nicht, ob das geklappt hat", `id="error-resend"`,
			`name="idempotency_key" value="k1"`}},
		{"an English page", "/en/admin/users/1/grant", "", []string{"not know yet whether", `id="error-resend"`}},
		{"a fragment", "/de/purchase", "true", []string{"nicht, ob das geklappt hat"}},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, strings.NewReader("idempotency_key=k1"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept-Language", "de")
		r.Header.Set("HX-Request", c.fragment)
		res, err := app.Test(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
			strings.Contains(string(body), "ist unverändert") || strings.Contains(string(body), "are unchanged") {
			t.Errorf("%s: status %d, want 503 with Retry-After and no promise: %s", c.name, res.StatusCode, body)
		}
		for _, text := range c.want {
			if !strings.Contains(string(body), text) {
				t.Errorf("%s: %q is missing: %s", c.name, text, body)
			}
		}
	}
}
