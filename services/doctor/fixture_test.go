package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/sandbox/mailbox"
	standin "github.com/resume-matcher/credits/services/sandbox/stripe"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	testKey = "sk_test_4f1c9b27d0e85a36"
	liveKey = "sk_live_7Yt3kPwQ9aFq2LmZ"
	strong  = "6d0c1f7be2a94c58b1946ac94f1c9b27d0e85a367e3b2f10c4d5a6978812345f"
	ourURL  = "https://credits.example.com/api/stripe/webhook"
)

// fixture is a set-up in Stripe's test mode, on a real database and on the Stripe stand-in.
type fixture struct {
	t      *testing.T
	env    map[string]string
	mail   *mailbox.Server
	stripe *client.API
	letter *TestLetter
	db     *gorm.DB
	now    func() time.Time
}

// newFixture returns a set-up with nothing at Stripe.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	db := dbtest.New(t)
	server, err := standin.Start(t.Context(),
		standin.Options{DatabaseURL: dbtest.Empty(t), Listen: "127.0.0.1:0", SecretKey: testKey,
			WebhookURL: "http://127.0.0.1:9/unused", WebhookSecrets: []string{"whsec_0123456789"},
			Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("start the stand-in: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Errorf("close the stand-in: %v", err)
		}
	})
	mail, err := mailbox.Start(t.Context(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("start the mailbox: %v", err)
	}
	t.Cleanup(func() { _ = mail.Close(context.Background()) })
	stripe := stripeapi.New(testKey, server.URL())
	return &fixture{t: t, db: db, mail: mail, stripe: stripe, now: models.Now, env: map[string]string{
		"APP_URL": "https://credits.example.com", "DATABASE_URL": dbtest.URLOf(db), "STRIPE_SECRET_KEY": testKey,
		"STRIPE_API_BASE":       server.URL(),
		"STRIPE_WEBHOOK_SECRET": "whsec_9c3e1b7a5d", "SESSION_SECRET": strong, "GOOGLE_CLIENT_ID": "4711.apps",
		"GOOGLE_CLIENT_SECRET": "b1946ac9d2",

		"SMTP_URL": mail.SMTPURL(), "MAIL_FROM": "credits@example.org", "SUPPORT_EMAIL": "help@example.org",
		"SELLER_NAME": "Muster GmbH", "SELLER_ADDRESS": "Musterweg 1, 12345 Musterstadt",
		"IMPRINT_URL": "https://example.org/imprint", "TERMS_URL": "https://example.org/terms",
		"PRIVACY_URL": "https://example.org/privacy",
	}}
}

// healthy returns a set-up that doctor has corrected.
func healthy(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.fix()
	f.wantHealthy()
	return f
}

// live turns the set-up into production with a live key, which the stand-in accepts.
func (f *fixture) live() *fixture {
	f.env["APP_ENV"], f.env["STRIPE_SECRET_KEY"] = "production", liveKey
	delete(f.env, "STRIPE_API_BASE")
	f.env["SMALL_BUSINESS"] = "true" // a decision about value added tax
	return f
}

func (f *fixture) with(name, value string) *fixture {
	f.env[name] = value
	return f
}

func (f *fixture) run(fix bool) []Check {
	f.t.Helper()
	cfg, err := config.Load(f.env)
	problems, ok := err.(config.Problems) //nolint:errorlint // Load wraps nothing
	if err != nil && !ok {
		f.t.Fatalf("load: %v", err)
	}
	s := &SetUp{Config: cfg, Problems: problems, Fix: fix, Letter: f.letter, Now: f.now,
		Log:         slog.New(slog.DiscardHandler),
		Description: func(analyses int64) string { return fmt.Sprintf("%d analyses", analyses) }}
	if Callable(cfg) {
		s.Stripe = f.stripe
	}
	checks := s.Run(f.t.Context())
	wantComplete(f.t, checks)
	return checks
}

// printedTexts has the texts of doctor, which commands print.
var printedTexts = sync.OnceValues(locales.Load)

// wantComplete wants what doctor prints without a placeholder that has no value, in every language.
func wantComplete(t *testing.T, checks []Check) {
	t.Helper()
	texts, err := printedTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range texts.Codes() {
		ctx, _ := texts.Context(t.Context(), code)
		var printed strings.Builder
		err := Write(&printed, config.Test, checks, func(key string, args map[string]any) string {
			return locales.T(ctx, key, args)
		})
		if err != nil || strings.Contains(printed.String(), "%{") || strings.Contains(printed.String(), "!(MISSING") {
			t.Errorf("in %s (%v), want every placeholder filled:\n%s", code, err, &printed)
		}
	}
}

func (f *fixture) check() []Check { f.t.Helper(); return f.run(false) }
func (f *fixture) fix() []Check   { f.t.Helper(); return f.run(true) }

// setDefault changes a default of the database.
func (f *fixture) setDefault(setting string) {
	f.t.Helper()
	f.must(f.db.Exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ` + strings.ReplaceAll(setting, "'", "''") +
		`', current_database()); END $$`).Error)
}

func texts(checks []Check, level Level) (found []string) {
	for _, c := range checks {
		if c.Level == level {
			found = append(found, c.Text)
		}
	}
	return found
}

// warnings are all but those that every fixture has: its server has no role of its own, and it offers Google, which
// sends no auth_time.
func warnings(checks []Check) []string {
	return slices.DeleteFunc(texts(checks, Warning),
		func(text string) bool { return text == "doctor.role.powers" || text == weakPresence })
}

// wantHealthy wants no finding but ok.
func (f *fixture) wantHealthy() {
	f.t.Helper()
	if checks := f.check(); AnyRed(checks) || len(warnings(checks)) > 0 {
		f.t.Errorf("got red %v, warnings %v, want all ok", texts(checks, Red), texts(checks, Warning))
	}
}

// wantRed wants exactly these red findings.
func (f *fixture) wantRed(want ...string) {
	f.t.Helper()
	checks := f.check()
	if got := texts(checks, Red); strings.Join(got, " ") != strings.Join(want, " ") {
		f.t.Errorf("got red %v, want %v", got, want)
	}
	if AnyRed(checks) != (len(want) > 0) {
		f.t.Errorf("got red %v, want red %v", AnyRed(checks), want)
	}
}

// wantWarning wants exactly these warnings and nothing red.
func (f *fixture) wantWarning(want ...string) {
	f.t.Helper()
	checks := f.check()
	if got := warnings(checks); strings.Join(got, " ") != strings.Join(want, " ") || AnyRed(checks) {
		f.t.Errorf("got warnings %v, red %v, want only the warnings %v", got, texts(checks, Red), want)
	}
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// endpoints returns Stripe's endpoints with our address.
func (f *fixture) endpoints() (enabled, disabled []*stripe.WebhookEndpoint) {
	f.t.Helper()
	list := f.stripe.WebhookEndpoints.List(&stripe.WebhookEndpointListParams{})
	for list.Next() {
		e := list.WebhookEndpoint()
		switch {
		case e.URL != ourURL:
		case e.Status == "enabled":
			enabled = append(enabled, e)
		default:
			disabled = append(disabled, e)
		}
	}
	f.must(list.Err())
	return enabled, disabled
}

// replaceEndpoint replaces all endpoints with our address by one.
func (f *fixture) replaceEndpoint(version *string, events ...string) {
	f.t.Helper()
	enabled, _ := f.endpoints()
	for _, e := range enabled {
		_, err := f.stripe.WebhookEndpoints.Del(e.ID, nil)
		f.must(err)
	}
	f.addEndpoint(version, events...)
}

func (f *fixture) addEndpoint(version *string, events ...string) {
	f.t.Helper()
	_, err := f.stripe.WebhookEndpoints.New(&stripe.WebhookEndpointParams{URL: stripe.String(ourURL), APIVersion: version,
		EnabledEvents: stripe.StringSlice(events)})
	f.must(err)
}

// price returns Stripe's price of the package with 500 credits.
func (f *fixture) price() *stripe.Price {
	f.t.Helper()
	list := f.stripe.Prices.List(
		&stripe.PriceListParams{LookupKeys: []*string{stripe.String("resume_matcher_package_500")}})
	if !list.Next() {
		f.t.Fatalf("no price: %v", list.Err())
	}
	return list.Price()
}

// forTest returns a copy for a subtest with its own variables. Database and Stripe are shared.
func (f *fixture) forTest(t *testing.T) *fixture {
	same := *f
	same.t, same.env = t, maps.Clone(f.env)
	return &same
}
