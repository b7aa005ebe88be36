// Package config reads the settings from the environment and reports every invalid one at once.
package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/resume-matcher/credits/services/loopback"
)

// Mode says which Stripe the product uses.
type Mode string

// The modes.
const (
	Sandbox Mode = "sandbox" // the stand-in
	Test    Mode = "test"    // Stripe's test mode
	Live    Mode = "live"    // Stripe, with real money
)

// Config is every setting. The variables are a public interface; .env.example explains each.
type Config struct {
	Port    int    `env:"PORT" envDefault:"3000"`
	AppURL  string `env:"APP_URL"`
	AppEnv  string `env:"APP_ENV" envDefault:"development"`
	DataDir string `env:"DATA_DIR" envDefault:".data"`

	DatabaseURL      Secret `env:"DATABASE_URL"`
	DatabasePoolURL  Secret `env:"DATABASE_POOL_URL"`
	DatabaseInsecure bool   `env:"DATABASE_INSECURE"`        // accepts connections that do not verify the server
	DatabaseMax      int    `env:"DATABASE_MAX_CONNECTIONS"` // of this server; 0: by the number of processors
	PostgresBinDir   string `env:"POSTGRES_BIN_DIR"`         // programs of the private database; found or downloaded if empty

	StripeSecretKey      Secret `env:"STRIPE_SECRET_KEY"`
	StripePublishableKey string `env:"STRIPE_PUBLISHABLE_KEY"`
	StripeWebhookSecret  Secret `env:"STRIPE_WEBHOOK_SECRET"`
	StripeAPIBase        string `env:"STRIPE_API_BASE"`

	StripeAutomaticTax bool `env:"STRIPE_AUTOMATIC_TAX"`
	StripeTaxIDs       bool `env:"STRIPE_TAX_IDS"`
	SmallBusiness      bool `env:"SMALL_BUSINESS"` // § 19 UStG: the seller charges no value added tax

	SessionSecret Secret   `env:"SESSION_SECRET"` // or a comma list while it is being rotated, the new one first
	AdminEmails   []string `env:"ADMIN_EMAILS"`
	HelperEmails  []string `env:"SUPPORT_EMAILS"` // of helpers, who may read the admin area

	Google   OAuthApp `envPrefix:"GOOGLE_"`
	GitHub   OAuthApp `envPrefix:"GITHUB_"`
	LinkedIn OAuthApp `envPrefix:"LINKEDIN_"`
	OIDC     OAuthApp `envPrefix:"OIDC_"`

	OIDCIssuer string `env:"OIDC_ISSUER"`
	OIDCName   string `env:"OIDC_NAME"`

	ReturnOrigins []string `env:"RETURN_ORIGINS"` // sites that buyers may be sent back to, besides ours and Resume Matcher

	ImprintURL string `env:"IMPRINT_URL"` // linked in the footer, as the next two
	TermsURL   string `env:"TERMS_URL"`
	PrivacyURL string `env:"PRIVACY_URL"`

	LegalDir      string `env:"LEGAL_DIR"`      // the operator's legal texts; empty: none
	SellerName    string `env:"SELLER_NAME"`    // as the instruction on withdrawal names the seller
	SellerAddress string `env:"SELLER_ADDRESS"` // separated by commas

	WithdrawalAutoRefund bool `env:"WITHDRAWAL_AUTO_REFUND"` // clean withdrawals are refunded without a person

	HoldWithoutConsent bool `env:"HOLD_WITHOUT_CONSENT"` // until the withdrawal period ends, credits are held of buyers who do not ask for them

	GoodwillDays    int `env:"GOODWILL_DAYS"`                           // after the payment, in which buyers may have unused credits refunded; 0: never
	GoodwillPercent int `env:"GOODWILL_UNUSED_PERCENT" envDefault:"50"` // of a purchase that must be unused for that

	SMTPURL      Secret `env:"SMTP_URL"`      // the mail server; empty: no letter is sent
	MailFrom     string `env:"MAIL_FROM"`     // the sender of letters
	SupportEmail string `env:"SUPPORT_EMAIL"` // for questions of users, linked on every page

	ResumeMatcher ResumeMatcher `envPrefix:"RESUME_MATCHER_"`

	WebhookPrivate bool `env:"WEBHOOK_PRIVATE_NETWORKS"` // endpoints may be in private networks, and use http there

	LogLevel       slog.Level `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat      string     `env:"LOG_FORMAT"`
	TrustedProxies []string   `env:"TRUSTED_PROXIES"`
	ShutdownDelay  string     `env:"SHUTDOWN_DELAY"`
	MetricsToken   Secret     `env:"METRICS_TOKEN"` // bearer of /metrics; empty: loopback may read it
	SentryDSN      Secret     `env:"SENTRY_DSN"`
	Tracing        Tracing    `envPrefix:"OTEL_"`

	Mode           Mode          `env:"-"`
	LocalSignIn    bool          `env:"-"` // the sign-in stand-in runs, so only this machine is served
	WebhookSecrets Secrets       `env:"-"` // STRIPE_WEBHOOK_SECRET, split
	SessionSecrets Secrets       `env:"-"` // SESSION_SECRET, split: the first seals, each one opens
	Mailbox        string        `env:"-"` // URL of the sandbox's inbox; empty outside the sandbox
	Drain          time.Duration `env:"-"` // SHUTDOWN_DELAY, parsed; negative if it is invalid
}

// Production reports whether stand-ins, demo users and generated secrets are forbidden.
func (c Config) Production() bool { return c.AppEnv == "production" }

// Strict reports whether the strictest rules apply: in production or with a live key.
func (c Config) Strict() bool { return c.Production() || c.Livemode() }

// Secure reports whether browsers reach us over https.
func (c Config) Secure() bool { return strings.HasPrefix(c.AppURL, "https://") }

// Livemode reports whether our Stripe key moves real money.
func (c Config) Livemode() bool { return c.Mode == Live }

// CheckoutOrigin is the origin of the payment page: Stripe's, or that of STRIPE_API_BASE.
func (c Config) CheckoutOrigin() string {
	if u, err := url.Parse(c.StripeAPIBase); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return "https://checkout.stripe.com"
}

// Returns are the origins that buyers may be sent back to.
func (c Config) Returns() []string {
	origins := append([]string{c.AppURL, c.ResumeMatcher.PublicURL, c.ResumeMatcher.URL}, c.ReturnOrigins...)
	return slices.DeleteFunc(origins, func(o string) bool { return o == "" || strings.Contains(o, tenantMark) })
}

// Dashboard is the address of the stand-in's dashboard; empty outside the sandbox.
func (c Config) Dashboard() string {
	if c.Mode != Sandbox {
		return ""
	}
	return c.StripeAPIBase + "/dashboard"
}

// DirectDatabaseURL is the address of a direct connection, with the server's role if that is known.
func (c Config) DirectDatabaseURL() Secret {
	u, err := url.Parse(c.DatabasePoolURL.Reveal())
	if err == nil && u.Query().Get("pgbouncer") == "false" {
		return c.DatabasePoolURL
	}
	return c.DatabaseURL
}

// ServerDatabaseURL is the address that the server uses: the pooler's, without one the database's.
func (c Config) ServerDatabaseURL() Secret {
	if c.DatabasePoolURL == "" {
		return c.DatabaseURL
	}
	u, err := url.Parse(c.DatabasePoolURL.Reveal())
	if err != nil { // reported by check
		return c.DatabasePoolURL
	}
	if u.Query().Get("pgbouncer") != "false" { // set for the private database, which has no pooler
		u.RawQuery = strings.TrimSuffix("pgbouncer=true&"+u.RawQuery, "&") // the variable says that there is a pooler
	}
	return Secret(u.String())
}

// derive sets the fields that follow from others.
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
	if c.ShutdownDelay == "" {
		c.ShutdownDelay = "0" // Ctrl-C ends at once
		if c.Production() {
			c.ShutdownDelay = "5s" // proxies send requests
		}
	}
	c.Drain = parseDelay(c.ShutdownDelay)
	c.Mode = c.mode()
	c.LocalSignIn = c.Mode == Sandbox || c.tries() && !c.signsIn()
	c.WebhookSecrets = list(strings.Split(c.StripeWebhookSecret.Reveal(), ","))
	c.SessionSecrets = list(strings.Split(c.SessionSecret.Reveal(), ","))
	c.ResumeMatcher.URL, c.ResumeMatcher.APIURL = origin(c.ResumeMatcher.URL), origin(c.ResumeMatcher.APIURL)
	c.ResumeMatcher.PublicURL = origin(c.ResumeMatcher.PublicURL)
	c.AdminEmails, c.HelperEmails = list(c.AdminEmails), list(c.HelperEmails)
	c.TrustedProxies = list(c.TrustedProxies)
	c.ReturnOrigins = list(c.ReturnOrigins)
	for i, address := range c.ReturnOrigins {
		c.ReturnOrigins[i] = origin(address)
	}
	if len(c.AdminEmails) == 0 && c.LocalSignIn {
		c.AdminEmails = []string{"admin@example.com"}
	}
	if c.Mode == Sandbox { // made up, so that letters and pages are complete
		c.SellerName = cmp.Or(c.SellerName, "Muster GmbH")
		c.SellerAddress = cmp.Or(c.SellerAddress, "Musterweg 1, 12345 Musterstadt")
		c.SupportEmail = cmp.Or(c.SupportEmail, "help@example.com")
	}
	if c.OIDCName == "" {
		c.OIDCName = "OpenID Connect"
	}
}

// parseDelay parses seconds, or a duration such as 500ms. It returns -1 for anything else.
func parseDelay(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	return -1
}

// tries reports whether a developer tries Stripe's test mode on this machine, with a database of this machine.
func (c Config) tries() bool {
	u, err := url.Parse(c.AppURL)
	return c.Mode == Test && c.AppEnv == "development" && err == nil && loopback.Is(u.Hostname()) &&
		!Foreign(c.DatabaseURL) && !Foreign(c.DatabasePoolURL)
}

// signsIn reports whether a setting of a real sign-in provider is there.
func (c Config) signsIn() bool {
	return c.OIDCIssuer != "" || slices.ContainsFunc(Providers, func(p Provider) bool {
		return p.App(c).ClientID != "" || p.App(c).ClientSecret != ""
	})
}

// LiveKey reports whether a secret key of Stripe moves real money.
func LiveKey(key string) bool { return hasAnyPrefix(key, "sk_live_", "rk_live_") }

// mode follows from the key. Production without a valid key is Live, the strictest mode.
func (c *Config) mode() Mode {
	key := c.StripeSecretKey.Reveal()
	switch {
	case LiveKey(key):
		return Live
	case hasAnyPrefix(key, "sk_test_", "rk_test_"):
		return Test // in production too, for rehearsals
	case c.Production():
		return Live
	case key == "":
		return Sandbox
	}
	return Test
}

// origin writes an address as browsers do in the Origin header: scheme and host in lower case, no slash at the end.
func origin(address string) string {
	address = strings.TrimRight(address, "/")
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Host = strings.ToLower(u.Host)
	return u.String()
}

// list trims the entries of a comma list and drops empty ones.
func list(entries []string) []string {
	var kept []string
	for _, entry := range entries {
		if entry = strings.TrimSpace(entry); entry != "" {
			kept = append(kept, entry)
		}
	}
	return kept
}
