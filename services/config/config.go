// Package config is the one place that reads the environment. It reports everything that is wrong at once.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
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

// OAuthApp is our registration with one provider. Both parts or none.
type OAuthApp struct {
	ClientID     string `env:"CLIENT_ID"`
	ClientSecret Secret `env:"CLIENT_SECRET"`
}

// Set reports whether the provider is to be offered.
func (a OAuthApp) Set() bool { return a.ClientID != "" && a.ClientSecret != "" }

// Config is all that can be set from outside. Its variables are part of the public face: .env.example explains each.
type Config struct {
	Port    int    `env:"PORT" envDefault:"3000"`
	AppURL  string `env:"APP_URL"`
	AppEnv  string `env:"APP_ENV" envDefault:"development"`
	DataDir string `env:"DATA_DIR" envDefault:".data"`

	DatabaseURL     Secret `env:"DATABASE_URL"`
	DatabasePoolURL Secret `env:"DATABASE_POOL_URL"`
	PostgresBinDir  string `env:"POSTGRES_BIN_DIR"` // where the private database's programs are; empty: found, or fetched

	StripeSecretKey      Secret `env:"STRIPE_SECRET_KEY"`
	StripePublishableKey string `env:"STRIPE_PUBLISHABLE_KEY"`
	StripeWebhookSecret  Secret `env:"STRIPE_WEBHOOK_SECRET"`
	StripeAPIBase        string `env:"STRIPE_API_BASE"`

	StripeAutomaticTax bool `env:"STRIPE_AUTOMATIC_TAX"`
	StripeTaxIDs       bool `env:"STRIPE_TAX_IDS"`
	SmallBusiness      bool `env:"SMALL_BUSINESS"` // § 19 UStG: the seller charges no value added tax

	SessionSecret Secret   `env:"SESSION_SECRET"`
	AdminEmails   []string `env:"ADMIN_EMAILS"`

	Google   OAuthApp `envPrefix:"GOOGLE_"`
	GitHub   OAuthApp `envPrefix:"GITHUB_"`
	LinkedIn OAuthApp `envPrefix:"LINKEDIN_"`
	OIDC     OAuthApp `envPrefix:"OIDC_"`

	OIDCIssuer string `env:"OIDC_ISSUER"`
	OIDCName   string `env:"OIDC_NAME"`

	ImprintURL string `env:"IMPRINT_URL"` // each is linked in the footer when it is set
	TermsURL   string `env:"TERMS_URL"`
	PrivacyURL string `env:"PRIVACY_URL"`

	LogLevel       slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat      string     `env:"LOG_FORMAT"`
	TrustedProxies []string   `env:"TRUSTED_PROXIES"`

	Mode           Mode    `env:"-"`
	WebhookSecrets Secrets `env:"-"` // STRIPE_WEBHOOK_SECRET, split
}

// Production reports whether this is the real thing: no stand-in, no demo user, no generated secret.
func (c Config) Production() bool { return c.AppEnv == "production" }

// Secure reports whether browsers reach us over https.
func (c Config) Secure() bool { return strings.HasPrefix(c.AppURL, "https://") }

// Livemode reports whether our Stripe key moves real money.
func (c Config) Livemode() bool { return c.Mode == Live }

// CheckoutOrigin is where buyers pay: Stripe's hosted page, or the page of the other server at STRIPE_API_BASE.
func (c Config) CheckoutOrigin() string {
	if u, err := url.Parse(c.StripeAPIBase); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return "https://checkout.stripe.com"
}

// Dashboard is where the sandbox's Stripe shows payments and gives money back; empty outside the sandbox.
func (c Config) Dashboard() string {
	if c.Mode != Sandbox {
		return ""
	}
	return c.StripeAPIBase + "/dashboard"
}

// ServerDatabaseURL is where the server connects: the pooler, or without one the database itself.
func (c Config) ServerDatabaseURL() Secret {
	if c.DatabasePoolURL == "" {
		return c.DatabaseURL
	}
	u, err := url.Parse(c.DatabasePoolURL.Reveal())
	if err != nil { // reported by check
		return c.DatabasePoolURL
	}
	query := u.Query()
	query.Set("pgbouncer", "true") // whatever its name looks like, this variable says that a pooler is there
	u.RawQuery = query.Encode()
	return Secret(u.String())
}

// envFile holds settings in development. Under its own name Environment tells Load that it cannot be read: no
// variable is called so.
const envFile = ".env"

// Environment returns getenv with the file .env of the working directory behind it. Production reads no such file.
// Errors: none here; Load reports a file that cannot be read beside everything else that is wrong.
func Environment(getenv func(string) string) func(string) string {
	if strings.TrimSpace(getenv("APP_ENV")) == "production" {
		return getenv
	}
	file, err := godotenv.Read(envFile)
	if errors.Is(err, fs.ErrNotExist) { // the usual case
		return getenv
	}
	if err != nil { // its text quotes the line, and with it perhaps a secret
		file = map[string]string{envFile: "unreadable"}
	}
	return func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return file[name]
	}
}

// Load reads the configuration through getenv.
// Errors: Problems, which name every variable that is wrong and say what it should be; never a value. What can be read
// is in the configuration all the same.
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
	if getenv(envFile) != "" {
		p.add(envFile, "cannot be read: each of its lines must be NAME=value, or a comment after #")
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: values}); err != nil {
		p.unreadable(err)
	}
	c.derive()
	c.check(p)
	return c, p.err()
}

// derive fills in what follows from the rest.
func (c *Config) derive() {
	c.AppURL = origin(c.AppURL)
	if c.AppURL == "" {
		c.AppURL = fmt.Sprintf("http://localhost:%d", c.Port)
	}
	if c.LogFormat == "" {
		c.LogFormat = "text"
		if c.Production() {
			c.LogFormat = "json"
		}
	}
	c.Mode = c.mode()
	c.WebhookSecrets = list(strings.Split(c.StripeWebhookSecret.Reveal(), ","))
	c.AdminEmails, c.TrustedProxies = list(c.AdminEmails), list(c.TrustedProxies)
	if len(c.AdminEmails) == 0 && c.Mode == Sandbox {
		c.AdminEmails = []string{"admin@example.com"}
	}
	if c.OIDCName == "" {
		c.OIDCName = "OpenID Connect"
	}
}

// mode follows from the key. Production without a usable one is Live, so that nothing is less strict than it should be.
func (c *Config) mode() Mode {
	key := c.StripeSecretKey.Reveal()
	switch {
	case hasAnyPrefix(key, "sk_live_", "rk_live_"):
		return Live
	case hasAnyPrefix(key, "sk_test_", "rk_test_"):
		return Test // in production too: its strictness with Stripe's play money, as for a rehearsal
	case c.Production():
		return Live
	case key == "":
		return Sandbox
	}
	return Test
}

// origin writes an address as browsers do in the Origin header, which it is compared with: scheme and host in lower
// case, no slash at the end.
func origin(address string) string {
	address = strings.TrimRight(address, "/")
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Host = strings.ToLower(u.Host)
	return u.String()
}

// list is a comma list's entries without the spaces and the empty ones.
func list(entries []string) []string {
	var kept []string
	for _, entry := range entries {
		if entry = strings.TrimSpace(entry); entry != "" {
			kept = append(kept, entry)
		}
	}
	return kept
}
