package doctor

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/config"
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

// clinic is a set-up in Stripe's test mode, on a real database and on the stand-in for Stripe.
type clinic struct {
	t      *testing.T
	env    map[string]string
	stripe *client.API
	db     *gorm.DB
	now    func() time.Time
}

// newClinic is a set-up on which nothing has been done at Stripe yet.
func newClinic(t *testing.T) *clinic {
	t.Helper()
	t.Parallel()
	db := dbtest.New(t)
	server, err := standin.Start(t.Context(), standin.Options{DatabaseURL: dbtest.Empty(t), Listen: "127.0.0.1:0", SecretKey: testKey,
		WebhookURL: "http://127.0.0.1:9/nobody", WebhookSecrets: []string{"whsec_0123456789"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("start the stand-in: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Close(context.Background()); err != nil {
			t.Errorf("close the stand-in: %v", err)
		}
	})
	return &clinic{t: t, db: db, stripe: stripeapi.New(testKey, server.URL()), now: models.Now, env: map[string]string{ //nolint:gosec // invented
		"APP_URL": "https://credits.example.com", "DATABASE_URL": dbtest.URLOf(db), "STRIPE_SECRET_KEY": testKey, "STRIPE_API_BASE": server.URL(),
		"STRIPE_WEBHOOK_SECRET": "whsec_9c3e1b7a5d", "SESSION_SECRET": strong, "GOOGLE_CLIENT_ID": "4711.apps", "GOOGLE_CLIENT_SECRET": "b1946ac9d2",
	}}
}

// healthy is a clinic whose set-up has been mended already.
func healthy(t *testing.T) *clinic {
	t.Helper()
	c := newClinic(t)
	c.fix()
	c.wantHealthy()
	return c
}

// live turns the set-up into production's; its key is Stripe's as far as the stand-in is concerned.
func (c *clinic) live() *clinic {
	c.env["APP_ENV"], c.env["STRIPE_SECRET_KEY"] = "production", liveKey
	delete(c.env, "STRIPE_API_BASE")
	c.env["SMALL_BUSINESS"] = "true" // who sells has decided about value added tax
	return c
}

func (c *clinic) with(name, value string) *clinic {
	c.env[name] = value
	return c
}

func (c *clinic) run(fix bool) []Check {
	c.t.Helper()
	cfg, err := config.Load(c.env)
	problems, ok := err.(config.Problems) //nolint:errorlint // Load wraps nothing
	if err != nil && !ok {
		c.t.Fatalf("load: %v", err)
	}
	s := &SetUp{Config: cfg, Problems: problems, Fix: fix, Now: c.now, Log: slog.New(slog.DiscardHandler)}
	if Callable(cfg) {
		s.Stripe = c.stripe
	}
	return s.Run(c.t.Context())
}

func (c *clinic) check() []Check { c.t.Helper(); return c.run(false) }
func (c *clinic) fix() []Check   { c.t.Helper(); return c.run(true) }

// setDefault changes a default of the database.
func (c *clinic) setDefault(setting string) {
	c.t.Helper()
	c.must(c.db.Exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ` + strings.ReplaceAll(setting, "'", "''") + `', current_database()); END $$`).Error)
}

func texts(checks []Check, level Level) (found []string) {
	for _, c := range checks {
		if c.Level == level {
			found = append(found, c.Text)
		}
	}
	return found
}

// warnings are those of a set-up whose server has a role of its own and whose provider sends auth_time: the clinic's
// server has none, and it offers Google.
func warnings(checks []Check) []string {
	return slices.DeleteFunc(texts(checks, Warning), func(text string) bool { return text == "doctor.role.powers" || text == weakPresence })
}

// wantHealthy wants nothing but ok.
func (c *clinic) wantHealthy() {
	c.t.Helper()
	if checks := c.check(); Ill(checks) || len(warnings(checks)) > 0 {
		c.t.Errorf("red: %v, warnings: %v; want all ok", texts(checks, Red), texts(checks, Warning))
	}
}

// wantRed wants exactly these red lines, and therefore exit status 1.
func (c *clinic) wantRed(want ...string) {
	c.t.Helper()
	checks := c.check()
	if got := texts(checks, Red); strings.Join(got, " ") != strings.Join(want, " ") {
		c.t.Errorf("red: %v, want %v", got, want)
	}
	if Ill(checks) != (len(want) > 0) {
		c.t.Errorf("ill = %v with %v", Ill(checks), want)
	}
}

// wantWarning wants nothing red and these warnings.
func (c *clinic) wantWarning(want ...string) {
	c.t.Helper()
	checks := c.check()
	if got := warnings(checks); strings.Join(got, " ") != strings.Join(want, " ") || Ill(checks) {
		c.t.Errorf("warnings: %v, red: %v, want the warnings %v alone", got, texts(checks, Red), want)
	}
}

func (c *clinic) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// at is what Stripe has of endpoints at our address.
func (c *clinic) at() (enabled, disabled []*stripe.WebhookEndpoint) {
	c.t.Helper()
	list := c.stripe.WebhookEndpoints.List(&stripe.WebhookEndpointListParams{})
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
	c.must(list.Err())
	return enabled, disabled
}

// endpoint replaces what Stripe has at our address by one endpoint.
func (c *clinic) endpoint(version *string, events ...string) {
	c.t.Helper()
	enabled, _ := c.at()
	for _, e := range enabled {
		_, err := c.stripe.WebhookEndpoints.Del(e.ID, nil)
		c.must(err)
	}
	c.addEndpoint(version, events...)
}

func (c *clinic) addEndpoint(version *string, events ...string) {
	c.t.Helper()
	_, err := c.stripe.WebhookEndpoints.New(&stripe.WebhookEndpointParams{URL: stripe.String(ourURL), APIVersion: version,
		EnabledEvents: stripe.StringSlice(events)})
	c.must(err)
}

// price is Stripe's for the package of 500 credits.
func (c *clinic) price() *stripe.Price {
	c.t.Helper()
	list := c.stripe.Prices.List(&stripe.PriceListParams{LookupKeys: []*string{stripe.String("resume_matcher_credits_500")}})
	if !list.Next() {
		c.t.Fatalf("no price: %v", list.Err())
	}
	return list.Price()
}

// in is the same set-up in another test, which may change its variables; what it changes elsewhere stays.
func (c *clinic) in(t *testing.T) *clinic {
	same := *c
	same.t, same.env = t, maps.Clone(c.env)
	return &same
}
