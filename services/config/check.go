package config

import (
	"cmp"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/loopback"
)

func (c *Config) check(p *problems) {
	c.checkServer(p)
	c.checkDatabase(p)
	c.checkStripe(p)
	c.checkSignIn(p)
	c.checkAdmins(p)
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
		case c.Strict() && !c.DatabaseInsecure && Unverified(address):
			p.addKind(UnverifiedTLS, name, "must verify the server's certificate: sslmode=verify-full, with sslrootcert=FILE for an authority of its own; "+
				"DATABASE_INSECURE=true does without, for a network that is yours alone")
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
	if c.Strict() {
		p.add("STRIPE_API_BASE", "must not be set in production, nor together with a live key")
	} else if u, err := url.Parse(c.StripeAPIBase); err != nil || !web(u) {
		p.add("STRIPE_API_BASE", "must be an address such as http://localhost:12111")
	}
}

func (c *Config) checkSignIn(p *problems) {
	if c.Mode == Sandbox {
		return // has a secret and a provider of its own, and none of these beside them
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
		if unfilled(app.ClientID) {
			p.add(name+"_CLIENT_ID", "must be the one that the provider gave you, not the example of one")
		}
		if placeholder(app.ClientSecret.Reveal()) {
			p.add(name+"_CLIENT_SECRET", "must be the one that the provider gave you, not the example of one")
		}
	}
	if c.OIDC.Set() != (c.OIDCIssuer != "") {
		p.add("OIDC_ISSUER", "must be set together with OIDC_CLIENT_ID and OIDC_CLIENT_SECRET")
	} else if u, err := url.Parse(c.OIDCIssuer); c.OIDCIssuer != "" && (err != nil || !web(u)) {
		p.add("OIDC_ISSUER", "must be an address such as https://login.example.com")
	} else if c.Strict() && u.Scheme == "http" && !loopback.Is(u.Hostname()) {
		p.add("OIDC_ISSUER", "must begin with https:// in production: whoever is on the way could be anybody")
	}
	if offered == 0 {
		p.add("GOOGLE_CLIENT_ID", "must be set, or the pair of another provider: without one nobody can sign in")
	}
}

func (c *Config) checkAdmins(p *problems) {
	for _, email := range c.AdminEmails {
		if address.Parse(email) == "" {
			p.add("ADMIN_EMAILS", "must be a comma list of e-mail addresses")
			break
		}
	}
}

// SessionBytes is the least that a session secret holds.
const SessionBytes = 32

// Guessable reports whether a secret has fewer different characters than any that chance makes: of 32 random hex digits
// one in 8,000 has fewer than 10 different ones, of 64 one in 10^12. All 16 are in only three of four.
func Guessable(secret string) bool {
	const different = 10
	seen := map[rune]bool{}
	for _, r := range secret {
		seen[r] = true
	}
	return len(seen) < different
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
type Problem struct {
	Name, Advice string
	Kind         Kind
	Meant        string // the variable that an unknown one is nearly called; may be empty
}

// Kind tells the problems of one variable apart where there are several.
type Kind string

// The kinds; a value of another form has none.
const (
	UnknownName   Kind = "unknown"    // no variable is called so
	NotForSandbox Kind = "sandbox"    // belongs to a real set-up, and this is the sandbox
	UnverifiedTLS Kind = "unverified" // nobody checks who answers there
)

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

func (p *problems) add(name, advice string) { p.addKind("", name, advice) }

func (p *problems) addKind(kind Kind, name, advice string) {
	p.all = append(p.all, Problem{Name: name, Advice: advice, Kind: kind})
}

// unparsed says of the fields that are no text what they should be. PORT is not among them: it stays 0 and is reported
// by its range.
var unparsed = map[string]Problem{
	"LogLevel":           {Name: "LOG_LEVEL", Advice: "must be debug, info, warn or error"},
	"StripeAutomaticTax": {Name: "STRIPE_AUTOMATIC_TAX", Advice: yesOrNo},
	"StripeTaxIDs":       {Name: "STRIPE_TAX_IDS", Advice: yesOrNo},
	"SmallBusiness":      {Name: "SMALL_BUSINESS", Advice: yesOrNo},
	"DatabaseInsecure":   {Name: "DATABASE_INSECURE", Advice: yesOrNo},
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
