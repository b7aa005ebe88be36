// Package config is the one place that reads the environment. It reports everything that is wrong at once.
package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
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

	DatabaseURL      Secret `env:"DATABASE_URL"`
	DatabasePoolURL  Secret `env:"DATABASE_POOL_URL"`
	DatabaseInsecure bool   `env:"DATABASE_INSECURE"` // the way to the database may be open to be read and changed by others
	PostgresBinDir   string `env:"POSTGRES_BIN_DIR"`  // where the private database's programs are; empty: found, or fetched

	StripeSecretKey      Secret `env:"STRIPE_SECRET_KEY"`
	StripePublishableKey string `env:"STRIPE_PUBLISHABLE_KEY"`
	StripeWebhookSecret  Secret `env:"STRIPE_WEBHOOK_SECRET"`
	StripeAPIBase        string `env:"STRIPE_API_BASE"`

	StripeAutomaticTax bool `env:"STRIPE_AUTOMATIC_TAX"`
	StripeTaxIDs       bool `env:"STRIPE_TAX_IDS"`
	SmallBusiness      bool `env:"SMALL_BUSINESS"` // § 19 UStG: the seller charges no value added tax

	SessionSecret Secret   `env:"SESSION_SECRET"` // or a comma list while it is being rotated, the new one first
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
	SessionSecrets Secrets `env:"-"` // SESSION_SECRET, split: the first seals, each one opens
}

// Production reports whether this is the real thing: no stand-in, no demo user, no generated secret.
func (c Config) Production() bool { return c.AppEnv == "production" }

// Strict reports whether strangers and their money are to come here.
func (c Config) Strict() bool { return c.Production() || c.Livemode() }

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
	if query.Get("pgbouncer") != "false" { // which says that it is the database itself, as another role
		query.Set("pgbouncer", "true") // whatever its name looks like, this variable says that a pooler is there
	}
	u.RawQuery = query.Encode()
	return Secret(u.String())
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
	c.SessionSecrets = list(strings.Split(c.SessionSecret.Reveal(), ","))
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
