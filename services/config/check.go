package config

import (
	"cmp"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

func (c *Config) check(p *problems) {
	c.checkServer(p)
	c.checkDatabase(p)
	c.checkStripe(p)
	c.checkSignIn(p)
}

func (c *Config) checkServer(p *problems) {
	if c.Port < 1 || c.Port > 65535 {
		p.add("PORT", "must be a number from 1 to 65535")
	}
	u, err := url.Parse(c.AppURL)
	switch {
	case err != nil || !web(u) || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) || unfilled(c.AppURL):
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
	for name, address := range map[string]string{"IMPRINT_URL": c.ImprintURL, "TERMS_URL": c.TermsURL, "PRIVACY_URL": c.PrivacyURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || !web(u) || u.User != nil || c.Mode != Sandbox && unfilled(address)) {
			p.add(name, "must be a web address such as https://example.com/imprint")
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
			p.add(name, "must be the address of a database, not the example of one")
		}
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
		p.add("SMALL_BUSINESS", "must not be true together with STRIPE_AUTOMATIC_TAX: who charges no value added tax has none to compute")
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
	if len(c.WebhookSecrets) == 0 {
		p.add("STRIPE_WEBHOOK_SECRET", "must be set: without it no payment can be trusted")
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
	if c.Mode == Live {
		p.add("STRIPE_API_BASE", "must not be set together with a live key")
	} else if u, err := url.Parse(c.StripeAPIBase); err != nil || !web(u) {
		p.add("STRIPE_API_BASE", "must be an address such as http://localhost:12111")
	}
}

func (c *Config) checkSignIn(p *problems) {
	secret := c.SessionSecret.Reveal()
	switch {
	case secret == "" && c.Production():
		p.add("SESSION_SECRET", "must be set in production, at least 32 bytes: openssl rand -hex 32")
	case secret != "" && (len(secret) < 32 || placeholder(secret)):
		p.add("SESSION_SECRET", "must be at least 32 random bytes: openssl rand -hex 32")
	}
	apps := map[string]OAuthApp{"GOOGLE": c.Google, "GITHUB": c.GitHub, "LINKEDIN": c.LinkedIn, "OIDC": c.OIDC}
	offered := 0
	for name, app := range apps {
		if (app.ClientID == "") != (app.ClientSecret == "") {
			p.add(name+"_CLIENT_ID", "must be set together with "+name+"_CLIENT_SECRET")
		}
		if !app.Set() {
			continue
		}
		offered++
		if c.Mode != Sandbox && unfilled(app.ClientID) {
			p.add(name+"_CLIENT_ID", "must be the one that the provider gave you, not the example of one")
		}
		if c.Mode != Sandbox && placeholder(app.ClientSecret.Reveal()) {
			p.add(name+"_CLIENT_SECRET", "must be the one that the provider gave you, not the example of one")
		}
	}
	if c.OIDC.Set() != (c.OIDCIssuer != "") {
		p.add("OIDC_ISSUER", "must be set together with OIDC_CLIENT_ID and OIDC_CLIENT_SECRET")
	} else if u, err := url.Parse(c.OIDCIssuer); c.OIDCIssuer != "" && (err != nil || !web(u)) {
		p.add("OIDC_ISSUER", "must be an address such as https://login.example.com")
	}
	if c.Mode != Sandbox && offered == 0 {
		p.add("GOOGLE_CLIENT_ID", "must be set, or the pair of another provider: without one nobody can sign in")
	}
	for _, email := range c.AdminEmails {
		if !strings.Contains(email, "@") {
			p.add("ADMIN_EMAILS", "must be a comma list of e-mail addresses")
			break
		}
	}
}

// hasAnyPrefix reports whether text is one of these kinds of key, with something behind the prefix.
func hasAnyPrefix(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) && len(text) > len(p)+3 })
}

func web(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" }

// unfilled recognises the gaps that example files leave in an address or a name.
func unfilled(text string) bool {
	return containsAny(text, "changeme", "change-me", "change_me", "your_", "your-domain", "yourdomain", "your-client", "<", "...", "…")
}

// placeholder recognises what example files hold instead of a secret. None of it comes up in random ones.
func placeholder(text string) bool {
	tail := text[strings.LastIndexByte(text, '_')+1:] // of sk_test_xxxx
	return unfilled(text) || containsAny(text, "your-", "replace", "example", "placeholder", "secret_here", "xxxxxxxx") ||
		len(tail) > 3 && strings.Trim(tail, "xX*.0") == ""
}

func containsAny(text string, words ...string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(lower, word) })
}

// Problem is one variable that is wrong and what it should be. It never quotes a value.
type Problem struct{ Name, Advice string }

// Problems is everything that Load has to complain of, in the order of the names.
type Problems []Problem

// Error is a line for each problem.
func (p Problems) Error() string {
	var text strings.Builder
	text.WriteString("the configuration does not work yet:")
	for _, problem := range p {
		text.WriteString("\n  " + problem.Name + " " + problem.Advice)
	}
	return text.String()
}

// problems gathers what is wrong.
type problems struct{ all Problems }

func (p *problems) add(name, advice string) { p.all = append(p.all, Problem{name, advice}) }

// unparsed says of the fields that are no text what they should be. PORT is not among them: it stays 0 and is reported
// by its range.
var unparsed = map[string]Problem{
	"LogLevel":           {"LOG_LEVEL", "must be debug, info, warn or error"},
	"StripeAutomaticTax": {"STRIPE_AUTOMATIC_TAX", yesOrNo},
	"StripeTaxIDs":       {"STRIPE_TAX_IDS", yesOrNo},
	"SmallBusiness":      {"SMALL_BUSINESS", yesOrNo},
}

const yesOrNo = "must be true or false"

// unreadable adds what the parser complains of, by name, without the values it quotes.
func (p *problems) unreadable(err error) {
	var all env.AggregateError
	if !errors.As(err, &all) {
		p.add("the environment", "cannot be read")
		return
	}
	for _, e := range all.Errors {
		var parse env.ParseError
		if errors.As(e, &parse) {
			if wrong, ok := unparsed[parse.Name]; ok {
				p.add(wrong.Name, wrong.Advice)
			}
			continue
		}
		p.add("the environment", "cannot be read")
	}
}

func (p *problems) err() error {
	if len(p.all) == 0 {
		return nil
	}
	slices.SortFunc(p.all, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Advice, b.Advice))
	})
	return slices.Compact(p.all)
}
