package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/loopback"
)

func (c *Config) check(p *problems) {
	c.checkServer(p)
	c.checkDatabase(p)
	c.checkStripe(p)
	c.checkSignIn(p)
	c.checkAdmins(p)
	c.checkMail(p)
	c.checkGoodwill(p)
	c.checkGate(p)
	c.checkObservation(p)
}

// minToken is the minimum length of METRICS_TOKEN in bytes.
const minToken = 16

// maxDrain is the longest SHUTDOWN_DELAY. Orchestrators kill a server that takes much longer.
const maxDrain = 5 * time.Minute

func (c *Config) checkServer(p *problems) {
	if c.Port < 1 || c.Port > 65535 {
		p.add("PORT", "must be a number from 1 to 65535")
	}
	u, err := url.Parse(c.AppURL)
	switch {
	case err != nil || !isOrigin(u) || unfilled(c.AppURL):
		p.add("APP_URL", "must be a public origin such as https://credits.example.com, without a path")
	case c.Production() && u.Scheme != "https":
		p.add("APP_URL", "must begin with https:// in production")
	}
	if !slices.Contains([]string{"development", "test", "production"}, c.AppEnv) {
		p.add("APP_ENV", "must be development, test or production")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		p.add("LOG_FORMAT", "must be text or json")
	}
	if token := c.MetricsToken.Reveal(); token != "" && (len(token) < minToken || Guessable(token) || placeholder(token)) {
		p.add("METRICS_TOKEN", "must be at least 16 random bytes: openssl rand -hex 16")
	}
	if c.Drain < 0 || c.Drain > maxDrain {
		p.add("SHUTDOWN_DELAY", "must be seconds or a duration such as 5s, at most 5m")
	}
	c.checkOthers(p)
}

// checkOthers checks the addresses of other sites and of proxies.
func (c *Config) checkOthers(p *problems) {
	for name, address := range map[string]string{"IMPRINT_URL": c.ImprintURL, "TERMS_URL": c.TermsURL,
		"PRIVACY_URL": c.PrivacyURL} {
		if u, err := url.Parse(address); address != "" &&
			(err != nil || !web(u) || u.User != nil || c.Mode != Sandbox && unfilled(address)) {
			p.add(name, "must be a web address such as https://example.com/imprint")
		}
	}
	for _, address := range c.ReturnOrigins {
		if u, err := url.Parse(address); err != nil || !isOrigin(u) || c.Strict() && u.Scheme != "https" {
			p.add("RETURN_ORIGINS", "must be a comma list of origins such as https://resumes.example.com, without a path")
			break
		}
	}
	for _, proxy := range c.TrustedProxies {
		_, ipErr := netip.ParseAddr(proxy)
		_, netErr := netip.ParsePrefix(proxy)
		if ipErr != nil && netErr != nil {
			p.add("TRUSTED_PROXIES", "must be a comma list of addresses or networks such as 10.0.0.0/8")
			break
		}
	}
}

// The bounds of DATABASE_MAX_CONNECTIONS. Some work uses two connections at a time.
const (
	fewestConnections = 4
	mostConnections   = 1000
	connectionBounds  = "must be a number from 4 to 1000"
)

func (c *Config) checkDatabase(p *problems) {
	for name, address := range map[string]Secret{"DATABASE_URL": c.DatabaseURL, "DATABASE_POOL_URL": c.DatabasePoolURL} {
		if address == "" {
			continue
		}
		u, err := url.Parse(address.Reveal())
		switch {
		case err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql"):
			p.add(name, "must begin with postgres:// or postgresql://")
		case c.Mode != Sandbox && unfilled(address.Reveal()):
			p.add(name, "must be the address of a database, not an example")
		case refusedParameter(u) != "":
			p.all = append(p.all, Problem{Name: name, Kind: ForeignParameter, Meant: refusedParameter(u),
				Advice: "must not have the parameter " + refusedParameter(u) + ": it would have no effect"})
		case c.Strict() && !c.DatabaseInsecure && Unverified(address):
			p.addKind(UnverifiedTLS, name,
				"must verify the server's certificate: sslmode=verify-full, with sslrootcert=FILE for an authority of its own; "+
					"DATABASE_INSECURE=true allows an unverified connection on a private network")
		}
	}
	if c.DatabaseMax != 0 && (c.DatabaseMax < fewestConnections || c.DatabaseMax > mostConnections) {
		p.add("DATABASE_MAX_CONNECTIONS", connectionBounds)
	}
	if c.DatabaseURL != "" {
		return
	}
	if c.DatabasePoolURL != "" {
		p.add("DATABASE_URL", "must be set beside DATABASE_POOL_URL: migrations need a direct connection")
	} else if c.Production() {
		p.add("DATABASE_URL", "must be set in production")
	}
}

func (c *Config) checkStripe(p *problems) {
	if c.SmallBusiness && c.StripeAutomaticTax {
		p.add("SMALL_BUSINESS",
			"must not be true together with STRIPE_AUTOMATIC_TAX: without value added tax there is none to compute")
	}
	key := c.StripeSecretKey.Reveal()
	if c.Mode == Sandbox {
		if c.StripeAPIBase != "" {
			p.add("STRIPE_SECRET_KEY", "must be set when STRIPE_API_BASE is")
		}
		return
	}
	if placeholder(key) || !hasAnyPrefix(key, "sk_test_", "sk_live_", "rk_live_", "rk_test_") {
		p.add("STRIPE_SECRET_KEY", "must be a secret key of Stripe, sk_live_… or sk_test_…")
	}
	if len(c.WebhookSecrets) == 0 && (c.StripeWebhookSecret != "" || !c.tries()) {
		p.add("STRIPE_WEBHOOK_SECRET", "must be set: without it no event from Stripe can be verified")
	}
	for _, s := range c.WebhookSecrets {
		if placeholder(s) || !strings.HasPrefix(s, "whsec_") {
			p.add("STRIPE_WEBHOOK_SECRET", "must be a signing secret of Stripe, whsec_…, or a comma list of them")
			break
		}
	}
	if c.StripePublishableKey != "" && !hasAnyPrefix(c.StripePublishableKey, "pk_test_", "pk_live_") {
		p.add("STRIPE_PUBLISHABLE_KEY", "must be a publishable key of Stripe, pk_live_… or pk_test_…")
	}
	if c.StripeAPIBase == "" {
		return
	}
	if c.Strict() {
		p.add("STRIPE_API_BASE", "must not be set in production, nor together with a live key")
	} else if u, err := url.Parse(c.StripeAPIBase); err != nil || !web(u) {
		p.add("STRIPE_API_BASE", "must be an address such as http://localhost:12111")
	}
}

func (c *Config) checkSignIn(p *problems) {
	if c.Mode == Sandbox {
		return // it generates its secret and brings its provider; checkSandbox refuses others
	}
	if len(c.SessionSecrets) == 0 && c.Production() {
		p.add("SESSION_SECRET", "must be set in production, at least 32 bytes: openssl rand -hex 32")
	}
	for _, secret := range c.SessionSecrets {
		if len(secret) < SessionBytes || Guessable(secret) || placeholder(secret) {
			p.add("SESSION_SECRET", "must be at least 32 random bytes: openssl rand -hex 32, or a comma list of such secrets")
			break
		}
	}
	c.checkProviders(p)
	if c.OIDC.Set() != (c.OIDCIssuer != "") {
		p.add("OIDC_ISSUER", "must be set together with OIDC_CLIENT_ID and OIDC_CLIENT_SECRET")
	} else if u, err := url.Parse(c.OIDCIssuer); c.OIDCIssuer != "" && (err != nil || !web(u)) {
		p.add("OIDC_ISSUER", "must be an address such as https://login.example.com")
	} else if c.Strict() && u.Scheme == "http" && !loopback.Is(u.Hostname()) {
		p.add("OIDC_ISSUER", "must begin with https:// in production: otherwise the network could answer for the provider")
	}
}

func (c *Config) checkProviders(p *problems) {
	const given = "must be the value from the provider, not an example"
	offered := 0
	for _, provider := range Providers {
		app := provider.App(*c)
		if (app.ClientID == "") != (app.ClientSecret == "") {
			p.add(provider.ClientID(), "must be set together with "+provider.ClientSecret())
		}
		if !app.Set() {
			continue
		}
		offered++
		if unfilled(app.ClientID) {
			p.add(provider.ClientID(), given)
		}
		if placeholder(app.ClientSecret.Reveal()) {
			p.add(provider.ClientSecret(), given)
		}
	}
	if offered == 0 && !c.LocalSignIn {
		p.add("GOOGLE_CLIENT_ID", "must be set, or the pair of another provider: without a provider no user can sign in")
	}
}

func (c *Config) checkAdmins(p *problems) {
	for name, emails := range map[string][]string{"ADMIN_EMAILS": c.AdminEmails, "SUPPORT_EMAILS": c.HelperEmails} {
		if slices.ContainsFunc(emails, func(email string) bool { return address.Parse(email) == "" }) {
			p.add(name, "must be a comma list of e-mail addresses")
		}
	}
}

// SessionBytes is the minimum length of a session secret in bytes.
const SessionBytes = 32

// Guessable reports whether a secret has fewer than 10 different characters. Of 32 random hex digits, 1 in 8,000 have
// so few; of 64, 1 in 10^12.
func Guessable(secret string) bool {
	const different = 10
	seen := map[rune]bool{}
	for _, r := range secret {
		seen[r] = true
	}
	return len(seen) < different
}

// hasAnyPrefix reports whether text has one of the prefixes and at least four more bytes.
func hasAnyPrefix(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) && len(text) > len(p)+3 })
}

func web(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" }

// isOrigin reports whether u is a web address that has nothing but a scheme, a host and a port.
func isOrigin(u *url.URL) bool { return web(u) && *u == (url.URL{Scheme: u.Scheme, Host: u.Host}) }

// unfilled recognises placeholders in an address or a name.
func unfilled(text string) bool {
	return containsAny(text, "changeme", "change-me", "change_me", "your_", "your-domain", "yourdomain", "your-client",
		"<", "...", "…")
}

// placeholder recognises placeholders of secrets. Random secrets contain none of them.
func placeholder(text string) bool {
	tail := text[strings.LastIndexByte(text, '_')+1:] // of sk_test_xxxx
	return unfilled(text) || containsAny(text, "your-", "replace", "example", "placeholder", "secret_here", "xxxxxxxx") ||
		len(tail) > 3 && strings.Trim(tail, "xX*.0") == ""
}

func containsAny(text string, words ...string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(lower, word) })
}
