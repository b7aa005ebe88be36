package command

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/doctor"
	"github.com/resume-matcher/credits/services/webhook"
)

// setUp is one run of `credits setup`: the answers so far, and where the next ones come from.
type setUp struct {
	*Program
	file    string
	answers *bufio.Scanner
	replace bool     // change an existing file without asking
	names   []string // of the settings for the file
}

// questions are the locale keys of what is asked for each setting.
var questions = map[string]string{
	"STRIPE_SECRET_KEY": "command.setup.ask.stripe_secret_key", "APP_URL": "command.setup.ask.app_url",
	"DATABASE_URL": "command.setup.ask.database_url", "OIDC_ISSUER": "command.setup.ask.oidc_issuer",
	"ADMIN_EMAILS": "command.setup.ask.admin_emails", "SELLER_NAME": "command.setup.ask.seller_name",
	"SELLER_ADDRESS": "command.setup.ask.seller_address", "SUPPORT_EMAIL": "command.setup.ask.support_email",
}

// runSetUp is `credits setup`: it asks for what is missing, writes the file, prepares Stripe and ends with doctor.
func runSetUp(ctx context.Context, p *Program, args []string) error {
	flags := newFlags("setup", "command.setup.explanation")
	file := flags.String("file", ".env", say(ctx, "command.setup.file", nil))
	replace := flags.Bool("replace", false, say(ctx, "command.setup.replace", nil))
	if err := flags.parse(ctx, p, args); err != nil {
		return err
	}
	s := &setUp{Program: p, file: *file, answers: bufio.NewScanner(p.Stdin), replace: *replace}
	s.Variables = maps.Clone(p.Variables)
	fmt.Fprintln(p.Stdout, say(ctx, "command.setup.begin", values{"file": s.file}))
	for _, step := range []func(context.Context) error{s.askStripe, s.askAddress, s.askDatabase, s.askProvider,
		s.askPeople, s.write, s.prepare} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	checks, err := s.diagnose(ctx, false, "")
	if err != nil {
		return err
	}
	return s.writeChecks(ctx, checks)
}

// ask returns a setting's value: of the environment or, without one, what the operator answers. It keeps the value for
// the file.
func (s *setUp) ask(ctx context.Context, name, fallback string) string {
	value := strings.TrimSpace(s.Variables[name])
	if value == "" {
		question := say(ctx, questions[name], nil)
		if fallback != "" {
			question += " [" + fallback + "]"
		}
		fmt.Fprintf(s.Stdout, "%s: ", question)
		if value = s.answer(); value == "" {
			value = fallback
		}
	}
	s.keep(name, value)
	return value
}

func (s *setUp) answer() string {
	if !s.answers.Scan() {
		fmt.Fprintln(s.Stdout)
		return ""
	}
	return strings.TrimSpace(s.answers.Text())
}

// keep sets a variable for this run and for the file; an empty value changes nothing.
func (s *setUp) keep(name, value string) {
	if value == "" {
		return
	}
	s.Variables[name] = value
	if !slices.Contains(s.names, name) {
		s.names = append(s.names, name)
	}
}

// keepSet keeps variables of the environment for the file.
func (s *setUp) keepSet(names ...string) {
	for _, name := range names {
		s.keep(name, s.Variables[name])
	}
}

// settings are the answers for the file.
func (s *setUp) settings() []config.Assignment {
	set := make([]config.Assignment, len(s.names))
	for i, name := range s.names {
		set[i] = config.Assignment{Name: name, Value: s.Variables[name]}
	}
	return set
}

// askStripe asks for the key until Stripe accepts it.
func (s *setUp) askStripe(ctx context.Context) error {
	const name, attempts = "STRIPE_SECRET_KEY", 3
	for attempt := 1; ; attempt++ {
		asked := s.Variables[name] == ""
		key := s.ask(ctx, name, "")
		checks, err := s.checkKey(ctx)
		if err != nil {
			return err
		}
		if key != "" && !doctor.AnyRed(checks) {
			fmt.Fprintln(s.Stdout, say(ctx, checks[0].Text, checks[0].Args))
			if config.LiveKey(key) {
				s.keep("APP_ENV", "production")
			}
			return nil
		}
		reason := say(ctx, "doctor.key.missing", nil)
		if key != "" {
			reason = say(ctx, checks[0].Text, checks[0].Args)
		}
		if !asked || attempt == attempts || key == "" {
			return errors.New(reason)
		}
		fmt.Fprintln(s.Stdout, reason)
		delete(s.Variables, name)
	}
}

// checkKey asks Stripe about the key.
func (s *setUp) checkKey(ctx context.Context) ([]doctor.Check, error) {
	vars := maps.Clone(s.Variables)
	if config.LiveKey(vars["STRIPE_SECRET_KEY"]) {
		vars["APP_ENV"] = "production"
	}
	cfg, problems, err := load(vars)
	if err != nil {
		return nil, err
	}
	return doctor.CheckKey(ctx, cfg, problems), nil
}

// load reads the configuration from the answers.
func (s *setUp) load() (config.Config, config.Problems, error) { return load(s.Variables) }

func load(vars config.Variables) (config.Config, config.Problems, error) {
	var problems config.Problems
	cfg, err := config.Load(vars)
	if err != nil && !errors.As(err, &problems) {
		return cfg, nil, err
	}
	return cfg, problems, nil
}

// askAddress asks where buyers find the site; by default, outside production, on this machine.
func (s *setUp) askAddress(ctx context.Context) error {
	cfg, _, err := s.load()
	if err != nil {
		return err
	}
	fallback := cfg.AppURL
	if s.Variables["APP_ENV"] == "production" {
		fallback = ""
	}
	s.ask(ctx, "APP_URL", fallback)
	s.keepSet("PORT")
	return nil
}

// askDatabase asks for the database in production; elsewhere a private one is made.
func (s *setUp) askDatabase(ctx context.Context) error {
	if s.Variables["APP_ENV"] == "production" {
		s.ask(ctx, "DATABASE_URL", "")
		if s.Variables["SESSION_SECRET"] == "" {
			raw := make([]byte, 32)
			rand.Read(raw) // never returns an error
			s.keep("SESSION_SECRET", hex.EncodeToString(raw))
		}
	}
	s.keepSet("DATABASE_URL", "DATABASE_POOL_URL", "SESSION_SECRET")
	return nil
}

// askPeople asks who administers and who sells.
func (s *setUp) askPeople(ctx context.Context) error {
	for _, name := range []string{"ADMIN_EMAILS", "SELLER_NAME", "SELLER_ADDRESS", "SUPPORT_EMAIL"} {
		s.ask(ctx, name, "")
	}
	return nil
}

// write writes the answers, and asks before it changes an existing file.
// Errors: a setting that the server cannot start with.
func (s *setUp) write(ctx context.Context) error {
	_, problems, err := s.load()
	if err != nil {
		return err
	}
	for _, p := range problems {
		if p.Name != "STRIPE_WEBHOOK_SECRET" { // prepare makes it
			return fmt.Errorf("%s\n  %s %s", say(ctx, "command.setup.invalid", nil), p.Name, p.Advice)
		}
	}
	_, err = os.Stat(s.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", s.file, err)
	}
	if err == nil && !s.replace {
		fmt.Fprintf(s.Stdout, "%s: ", say(ctx, "command.setup.overwrite", values{"file": s.file}))
		if !strings.EqualFold(s.answer(), say(ctx, "command.setup.yes", nil)) {
			return errors.New(say(ctx, "command.setup.kept", values{"file": s.file}))
		}
	}
	return config.WriteFile(s.file, s.settings())
}

// prepare migrates, puts the prices on sale, creates the webhook endpoint, and keeps its secret.
func (s *setUp) prepare(ctx context.Context) error {
	checks, err := s.diagnose(ctx, true, "")
	if err != nil {
		return err
	}
	for _, c := range checks {
		if c.Secret != "" {
			s.Variables["STRIPE_WEBHOOK_SECRET"] = c.Secret.Reveal()
			err = config.WriteFile(s.file, []config.Assignment{{Name: "STRIPE_WEBHOOK_SECRET", Value: c.Secret.Reveal()}})
		}
	}
	if err != nil {
		return err
	}
	cfg, _, err := s.load()
	if err == nil && cfg.StripeWebhookSecret == "" {
		key := "command.setup.secret"
		if cfg.LocalSignIn || cfg.Mode == config.Test && !cfg.Secure() {
			key = "command.setup.listen"
		}
		fmt.Fprintln(s.Stdout, say(ctx, key, values{"url": cfg.AppURL + webhook.Path, "file": s.file}))
	}
	return err
}
