package command

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/config"
	standin "github.com/resume-matcher/credits/services/sandbox/stripe"
)

const setUpKey = "sk_test_4f1c9b27d0e85a36"

// setUpRun is `credits setup` of an operator with the stand-in as Stripe.
type setUpRun struct {
	t    *testing.T
	file string
	vars config.Variables
	said string // what the last run printed
}

func newSetUpRun(t *testing.T) *setUpRun {
	t.Helper()
	server, err := standin.Start(t.Context(), standin.Options{DatabaseURL: dbtest.Empty(t), Listen: "127.0.0.1:0",
		SecretKey: setUpKey, WebhookURL: "http://127.0.0.1:9/unused", WebhookSecrets: []string{"whsec_0123456789"},
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(context.Background()) })
	return &setUpRun{t: t, file: filepath.Join(t.TempDir(), ".env"), vars: config.Variables{"LANG": "en_GB.UTF-8",
		"STRIPE_API_BASE": server.URL(), "DATABASE_URL": dbtest.Empty(t)}}
}

// run runs the command with these answers, and variables beside those of the machine.
func (s *setUpRun) run(more config.Variables, answers []string, flags ...string) error {
	s.t.Helper()
	vars := maps.Clone(s.vars)
	maps.Copy(vars, more)
	var out bytes.Buffer
	p := &Program{Stdin: strings.NewReader(strings.Join(answers, "\n")), Stdout: &out, Stderr: &out, Variables: vars}
	err := p.Run(s.t.Context(), append([]string{"setup", "--file", s.file}, flags...))
	s.said = out.String()
	return err
}

// settings reads the file.
func (s *setUpRun) settings() map[string]string {
	s.t.Helper()
	got, err := godotenv.Read(s.file)
	if err != nil {
		s.t.Fatalf("%v after:\n%s", err, s.said)
	}
	return got
}

var setUpAnswers = config.Variables{"STRIPE_SECRET_KEY": setUpKey, "APP_URL": "https://credits.example.com",
	"GITHUB_CLIENT_ID": "4711", "GITHUB_CLIENT_SECRET": "b1946ac9d2", "ADMIN_EMAILS": "ada@example.com",
	"SELLER_NAME": "Muster GmbH", "SELLER_ADDRESS": "Musterweg 1, 12345 Musterstadt",
	"SUPPORT_EMAIL": "help@example.com"}

func TestSetUpNeedsNoQuestionWhenVariablesAreSet(t *testing.T) {
	t.Parallel()
	s := newSetUpRun(t)
	if err := s.run(setUpAnswers, nil); err != nil {
		t.Fatalf("%v, want every check green:\n%s", err, s.said)
	}
	info, err := os.Stat(s.file)
	got := s.settings()
	if err != nil || info.Mode().Perm() != 0o600 || got["SELLER_ADDRESS"] != setUpAnswers["SELLER_ADDRESS"] ||
		!strings.HasPrefix(got["STRIPE_WEBHOOK_SECRET"], "whsec_") || got["GITHUB_CLIENT_SECRET"] != "b1946ac9d2" {
		t.Errorf("mode %v, settings %d, want 0600 with each answer and the endpoint's secret", info.Mode(), len(got))
	}
	for _, secret := range []string{setUpKey, got["STRIPE_WEBHOOK_SECRET"], "b1946ac9d2"} {
		if strings.Contains(s.said, secret) {
			t.Errorf("a secret is printed:\n%s", s.said)
		}
	}
	before, _ := os.ReadFile(s.file)
	if err := s.run(setUpAnswers, nil); err == nil || !strings.Contains(err.Error(), "unchanged") {
		t.Errorf("again without an answer: %v, want the file kept", err)
	}
	if after, _ := os.ReadFile(s.file); !bytes.Equal(before, after) {
		t.Error("the file was changed without asking")
	}
	more := maps.Clone(setUpAnswers)
	more["STRIPE_WEBHOOK_SECRET"] = got["STRIPE_WEBHOOK_SECRET"]
	more["SUPPORT_EMAIL"] = "support@example.com"
	if err := s.run(more, []string{"yes"}); err != nil || s.settings()["SUPPORT_EMAIL"] != "support@example.com" {
		t.Errorf("again with yes: %v, want the new setting:\n%s", err, s.said)
	}
	if err := s.run(more, nil, "--replace"); err != nil {
		t.Errorf("with --replace: %v", err)
	}
}

func TestSetUpAsksForWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := newSetUpRun(t)
	err := s.run(config.Variables{"PORT": "3100"}, []string{"pk_test_1", "sk_test_of_somebody_else", setUpKey, "",
		"gogle", "", "ada@example.com", "Muster GmbH", "Musterweg 1, 12345 Musterstadt", "help@example.com"})
	if err != nil {
		t.Fatalf("%v:\n%s", err, s.said)
	}
	got := s.settings()
	if got["APP_URL"] != "http://localhost:3100" || got["PORT"] != "3100" || got["STRIPE_SECRET_KEY"] != setUpKey ||
		got["ADMIN_EMAILS"] != "ada@example.com" || got["STRIPE_WEBHOOK_SECRET"] != "" {
		t.Errorf("settings = %v, want the answers on this machine", got)
	}
	for _, text := range []string{"publishable", "“gogle” is none of these", "stripe listen --forward-to http://localhost:3100/api/stripe/webhook",
		"Before you can sell", "Next: "} {
		if !strings.Contains(s.said, text) {
			t.Errorf("output lacks %q:\n%s", text, s.said)
		}
	}
}

// A set-up that cannot work writes nothing.
func TestSetUpStopsWithAReason(t *testing.T) {
	t.Parallel()
	s := newSetUpRun(t)
	for name, c := range map[string]struct {
		set    config.Variables
		reason string
	}{
		"no key":               {config.Variables{"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY is not set"},
		"a publishable key":    {config.Variables{"STRIPE_SECRET_KEY": "pk_test_4711"}, "publishable"},
		"a key of others":      {config.Variables{"STRIPE_SECRET_KEY": "sk_test_" + "4711"}, "Stripe"},
		"no Stripe":            {config.Variables{"STRIPE_API_BASE": "http://127.0.0.1:9"}, "Stripe"},
		"an address with path": {config.Variables{"APP_URL": "https://credits.example.com/app"}, "APP_URL must be"},
		"half a provider": {config.Variables{"GITHUB_CLIENT_SECRET": "", "APP_URL": "https://credits.example.com"},
			"GITHUB_CLIENT_ID must be"},
		"no admin": {config.Variables{"ADMIN_EMAILS": "ada"}, "ADMIN_EMAILS must be"},
	} {
		set := maps.Clone(setUpAnswers)
		maps.Copy(set, c.set)
		if err := s.run(set, nil); err == nil || errors.Is(err, ErrRed) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want a reason with %q:\n%s", name, err, c.reason, s.said)
		}
		if _, err := os.Stat(s.file); err == nil {
			t.Fatalf("%s: a file was written", name)
		}
	}
}
