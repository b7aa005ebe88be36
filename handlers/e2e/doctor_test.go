package e2e

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	standin "github.com/resume-matcher/credits/services/sandbox/stripe"
)

// doctorEnv is an operator's settings for Stripe's test mode, with the stand-in as Stripe.
func doctorEnv(t *testing.T) []string {
	t.Helper()
	const key = "sk_test_4f1c9b27d0e85a36"
	server, err := standin.Start(t.Context(), standin.Options{DatabaseURL: dbtest.Empty(t), Listen: "127.0.0.1:0",
		SecretKey:  key,
		WebhookURL: "http://127.0.0.1:9/unused", WebhookSecrets: []string{"whsec_0123456789"},
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("start the Stripe stand-in: %v", err)
	}
	t.Cleanup(func() { server.Close(context.Background()) })
	database := dbtest.Empty(t)
	return []string{"APP_URL=https://credits.example.com", "STRIPE_SECRET_KEY=" + key, "STRIPE_API_BASE=" + server.URL(),
		"STRIPE_WEBHOOK_SECRET=whsec_9c3e1b7a5d", "DATABASE_URL=" + database,
		"DATABASE_POOL_URL=" + dbtest.ServerURL(database), "GITHUB_CLIENT_ID=4711", "GITHUB_CLIENT_SECRET=b1946ac9d2",
		"SESSION_SECRET=6d0c1f7be2a94c58b1946ac94f1c9b27d0e85a36"}
}

var (
	printedSecret = regexp.MustCompile(`(?m)^ {4}STRIPE_WEBHOOK_SECRET=(whsec_\S+)$`)
	clockOffset   = regexp.MustCompile(`clock is -?\d+ s off`)
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	env := doctorEnv(t)
	want := func(t *testing.T, code int, env []string, args []string, says ...string) string {
		t.Helper()
		out, got := command(t, env, append([]string{"doctor"}, args...)...)
		if got != code {
			t.Errorf("exit status %d, want %d:\n%s", got, code, out)
		}
		for _, text := range says {
			if !strings.Contains(out, text) {
				t.Errorf("output lacks %q:\n%s", text, out)
			}
		}
		for _, secret := range []string{"4f1c9b27d0e85a36", "6d0c1f7be2a94c58", "b1946ac9d2", "9c3e1b7a5d", "hunter2",
			"!(MISSING", "%{"} {
			if strings.Contains(out, secret) {
				t.Errorf("output contains %q:\n%s", secret, out)
			}
		}
		return out
	}
	want(t, 1, env, []string{"--locale", "en"}, "RED", "Run credits migrate",
		"no webhook endpoint at https://credits.example.com/api/stripe/webhook")
	want(t, 1, append(env, "LANG=de_DE.UTF-8"), nil, "ROT", "Rufen Sie credits migrate auf",
		"keinen Webhook-Endpunkt unter https://credits.example.com/api/stripe/webhook")

	fixed := want(t, 0, env, []string{"--fix"}, "has been created")
	secret := printedSecret.FindAllStringSubmatch(fixed, -1)
	if len(secret) != 1 {
		t.Fatalf("%d secrets printed, want 1:\n%s", len(secret), fixed)
	}
	if strings.Count(fixed, secret[0][1]) != 1 {
		t.Errorf("the secret is printed more than once:\n%s", fixed)
	}
	env = append(env, "STRIPE_WEBHOOK_SECRET="+secret[0][1])
	good := want(t, 0, env, nil, "2024-06-20", "https://credits.example.com/auth/github/callback",
		"GitHub does not say when a person signed in there (auth_time).")
	if strings.Contains(good, "RED ") || strings.Count(good, "WARNING ") != 3 || strings.Contains(good, secret[0][1]) {
		t.Errorf("after --fix: want warnings about GitHub's auth_time, letters and legal texts, no RED and no secret:\n%s", good)
	}
	// Stripe's clock has a resolution of a second, so two runs may differ by one.
	still := func(out string) string { return clockOffset.ReplaceAllString(out, "clock is some s off") }
	if again := want(t, 0, env, []string{"--fix"}); still(again) != still(good) {
		t.Errorf("second --fix prints:\n%s\nwant:\n%s", again, good)
	}

	want(t, 1, append(env, "STRIPE_SECRET_KEY=pk_test_4711471147"), []string{"--locale=de"}, "ROT",
		"veröffentlichbaren Schlüssel")
	want(t, 1, append(env, "DATABASE_URL=postgres://app:hunter2@127.0.0.1:9/app"), nil, "RED",
		"Nothing answers at DATABASE_URL")
	want(t, 1, append(env, "SESSION_SECRET=short", "PORT=http", "STRIPE_WEBHOOK_SECRET=whsec_a1b2c3d4,"), nil,
		"fewer than 32 bytes", "PORT must be", "empty entry")
	want(t, 0, append(env, "APP_URL=http://localhost:3000"), nil, "WARNING", "tunnel")
	want(t, 2, env, []string{"--locale", "fr"}, "“fr”")
	want(t, 2, env, []string{"--mend"}, "-mend")
	want(t, 0, env, []string{"-h"}, "-fix", "-locale")
}

// With no settings at all, doctor finds nothing to mend, and checks the Resume Matcher of the sandbox.
func TestDoctorInTheSandbox(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{nil, {"DATABASE_URL=" + dbtest.Empty(t), "LC_ALL=de_AT.UTF-8"}} {
		out, code := command(t, env, "doctor")
		if code != 0 || strings.Contains(out, "RED ") || strings.Contains(out, "WARNING ") || strings.Contains(out, "ROT ") ||
			strings.Contains(out, "WARNUNG ") {
			t.Errorf("exit status %d, want 0 without RED or WARNING:\n%s", code, out)
		}
		if env == nil && !strings.Contains(out, "keeps the users of Resume Matcher 1.2.0 apart") {
			t.Errorf("output lacks the tenant add-on of the Resume Matcher stand-in:\n%s", out)
		}
	}
}
