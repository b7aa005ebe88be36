// Package config is the one place that reads the environment. It reports everything that is wrong at once.
package config

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// Mode says whose money moves.
type Mode string

// The modes.
const (
	Sandbox Mode = "sandbox" // nobody's: the stand-ins answer
	Test    Mode = "test"    // nobody's: Stripe's test mode answers
	Live    Mode = "live"
)

// Secret is a text that no log, error or page ever shows.
type Secret string

// String hides the secret.
func (s Secret) String() string { return "[redacted]" }

// GoString hides the secret.
func (s Secret) GoString() string { return "[redacted]" }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText hides the secret in JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Reveal returns the secret, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// OAuthApp is our registration with one provider. Both parts or none.
type OAuthApp struct {
	ClientID     string `env:"CLIENT_ID"`
	ClientSecret Secret `env:"CLIENT_SECRET"`
}

// Set reports whether the provider is to be offered.
func (a OAuthApp) Set() bool { return a.ClientID != "" && a.ClientSecret != "" }

// Config is all that can be set from outside. CONTRACT: the variables are the product's public face.
type Config struct {
	Port    int    `env:"PORT" envDefault:"3000"`
	AppURL  string `env:"APP_URL"`
	AppEnv  string `env:"APP_ENV" envDefault:"development"`
	DataDir string `env:"DATA_DIR" envDefault:".data"`

	DatabaseURL     Secret `env:"DATABASE_URL"`
	DatabasePoolURL Secret `env:"DATABASE_POOL_URL"`

	StripeSecretKey      Secret `env:"STRIPE_SECRET_KEY"`
	StripePublishableKey string `env:"STRIPE_PUBLISHABLE_KEY"`
	StripeWebhookSecret  Secret `env:"STRIPE_WEBHOOK_SECRET"`
	StripeAPIBase        string `env:"STRIPE_API_BASE"`

	SessionSecret Secret   `env:"SESSION_SECRET"`
	AdminEmails   []string `env:"ADMIN_EMAILS"`

	Google   OAuthApp `envPrefix:"GOOGLE_"`
	GitHub   OAuthApp `envPrefix:"GITHUB_"`
	LinkedIn OAuthApp `envPrefix:"LINKEDIN_"`
	OIDC     OAuthApp `envPrefix:"OIDC_"`

	OIDCIssuer string `env:"OIDC_ISSUER"`
	OIDCName   string `env:"OIDC_NAME"`

	LogLevel       slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat      string     `env:"LOG_FORMAT"`
	TrustedProxies []string   `env:"TRUSTED_PROXIES"`

	Mode           Mode     `env:"-"`
	WebhookSecrets []string `env:"-"` // STRIPE_WEBHOOK_SECRET, split
}

// Production reports whether this is the real thing: no stand-in, no demo user, no generated secret.
func (c Config) Production() bool { return c.AppEnv == "production" }

// Secure reports whether browsers reach us over https.
func (c Config) Secure() bool { return strings.HasPrefix(c.AppURL, "https://") }

// Livemode reports whether our Stripe key moves real money.
func (c Config) Livemode() bool { return c.Mode == Live }

// ServerDatabaseURL is where the server connects: the pooler, or without one the database itself.
func (c Config) ServerDatabaseURL() Secret {
	if c.DatabasePoolURL != "" {
		return c.DatabasePoolURL
	}
	return c.DatabaseURL
}

// Environment returns getenv with the file .env of the working directory behind it. Production reads no such file.
func Environment(getenv func(string) string) func(string) string {
	if getenv("APP_ENV") == "production" {
		return getenv
	}
	file, err := godotenv.Read(".env")
	if err != nil { // no file, the usual case
		return getenv
	}
	return func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return file[name]
	}
}

// Load reads the configuration through getenv.
// Errors: one error that names every variable that is wrong and says what it should be; it never quotes a value.
func Load(getenv func(string) string) (Config, error) {
	var c Config
	fields, err := env.GetFieldParams(&c)
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	values := map[string]string{}
	for _, f := range fields {
		if v := strings.TrimSpace(getenv(f.Key)); v != "" {
			values[f.Key] = v
		}
	}
	p := &problems{}
	if err := env.ParseWithOptions(&c, env.Options{Environment: values}); err != nil {
		p.unreadable(err)
	}
	c.derive()
	c.check(p)
	return c, p.err()
}

// derive fills in what follows from the rest.
func (c *Config) derive() {
	c.AppURL = strings.TrimRight(c.AppURL, "/")
	if c.AppURL == "" {
		c.AppURL = fmt.Sprintf("http://localhost:%d", c.Port)
	}
	if c.LogFormat == "" {
		c.LogFormat = "text"
		if c.Production() {
			c.LogFormat = "json"
		}
	}
	key := c.StripeSecretKey.Reveal()
	switch {
	case key == "" && !c.Production():
		c.Mode = Sandbox
	case c.Production() || strings.HasPrefix(key, "sk_live_") || strings.HasPrefix(key, "rk_live_"):
		c.Mode = Live
	default:
		c.Mode = Test
	}
	if c.Mode == Live && strings.HasPrefix(key, "sk_test_") {
		c.Mode = Test // production's strictness with Stripe's play money, as for a rehearsal
	}
	for _, s := range strings.Split(c.StripeWebhookSecret.Reveal(), ",") {
		if s = strings.TrimSpace(s); s != "" {
			c.WebhookSecrets = append(c.WebhookSecrets, s)
		}
	}
	if len(c.AdminEmails) == 0 && c.Mode == Sandbox {
		c.AdminEmails = []string{"admin@example.com"}
	}
	if c.OIDCName == "" {
		c.OIDCName = "OpenID Connect"
	}
}
