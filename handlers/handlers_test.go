package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/resume-matcher/credits/services/fault"
)

func TestEveryFaultHasAStatus(t *testing.T) {
	t.Parallel()
	for _, code := range fault.Codes() {
		answer, ok := answers[code]
		if !ok || answer.status < 400 || answer.status > 599 || answer.name == "" {
			t.Errorf("%s: status %d, name %q, want 400 to 599 and a name", code, answer.status, answer.name)
		}
	}
	if len(answers) != len(fault.Codes()) {
		t.Errorf("%d statuses for %d codes", len(answers), len(fault.Codes()))
	}
}

func TestFaultOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want fault.Code
	}{
		{"a wrapped fault", fmt.Errorf("start: %w", fault.New(fault.Conflict, nil)), fault.Conflict},
		{"Fiber's 404", fiber.ErrNotFound, fault.NotFound},
		{"Fiber's 405", fiber.ErrMethodNotAllowed, fault.MethodNotAllowed},
		{"Fiber's 413", fiber.ErrRequestEntityTooLarge, fault.PayloadTooLarge},
		{"Fiber's 418", fiber.ErrTeapot, fault.Malformed},
		{"a lock timeout", fmt.Errorf("lock: %w", &pgconn.PgError{Code: "55P03"}), fault.Unavailable},
		{"a server that is shutting down", &pgconn.PgError{Code: "57P01"}, fault.Unavailable},
		{"a check violation", &pgconn.PgError{Code: "23514"}, fault.Internal},
		{"any other error", errors.New("boom"), fault.Internal},
	} {
		if got := faultOf(c.err).Code; got != c.want {
			t.Errorf("%s: code %s, want %s", c.name, got, c.want)
		}
	}
}

func TestOwnPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/de/billing", "/en/purchase?x=1&y=2", "/", "/en/billing?success=true&session_id=cs_1"} {
		if ownPath(path) != path {
			t.Errorf("ownPath(%q) = %q, want the path", path, ownPath(path))
		}
	}
	for _, path := range []string{"", "de/billing", "//evil.example", "/\\evil.example", "\\/evil.example",
		"https://evil.example", "https:evil.example",
		"/%09/evil.example", "/%0d%0aLocation:x", "\t//evil.example", " /x", "javascript:alert(1)", "@evil.example",
		"///evil.example", "http:///evil.example",
		"/\n/evil.example", "/x//evil.example", "/../evil", "/x#y", "/auth/oidc", "/ä", "/x@evil.example", "/x:y", "/\x00",
		"/;//evil.example"} {
		if got := ownPath(path); got != "" {
			t.Errorf("ownPath(%q) = %q, want \"\"", path, got)
		}
	}
}

func FuzzOwnPath(f *testing.F) {
	for _, seed := range []string{"/de/billing", "//e", "/\\e", "/%2f/e", "/x?y=//e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got := ownPath(target)
		if got == "" {
			return
		}
		base, _ := http.NewRequest(http.MethodGet, "https://credits.example.com/de/login", nil)
		u, err := base.URL.Parse(got)
		if err != nil || u.Host != "credits.example.com" || u.Scheme != "https" || u.User != nil {
			t.Errorf("ownPath(%q) links to %v (%v), want our host", target, u, err)
		}
	})
}

func TestParseDigits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "7": 7, "007": 7, "9223372036854775807": 1<<63 - 1,
		"": -1, "-1": -1, "+1": -1, " 1": -1, "1 ": -1, "1.0": -1, "1e2": -1, "0x1": -1, "٣": -1, "9223372036854775808": -1,
		"99999999999999999999": -1, "NaN": -1,
	} {
		if got := parseDigits(text); got != want {
			t.Errorf("parseDigits(%q) = %d, want %d", text, got, want)
		}
	}
}
