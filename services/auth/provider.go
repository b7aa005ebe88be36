package auth

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/resume-matcher/credits/services/config"
)

// ProviderConfig describes one provider. Google, LinkedIn, GitHub and OpenID fill it in.
type ProviderConfig struct {
	Name         string // the route: oidc, google, github, linkedin
	Label        string // what the sign-in page calls it
	Issuer       string // who vouches for the subject, in its ID tokens
	Alias        string // what identities are kept under instead of Issuer; neither must ever change
	DiscoveryURL string // where the discovery document lies, when that is not Issuer
	API          string // GitHub's API address; GitHub is no OpenID provider
	ClientID     string
	ClientSecret string
	PKCE         bool // the provider takes a code_verifier
	Nonce        bool // the provider puts the nonce into its ID tokens
	MaxAge       bool // the provider has people sign in again for max_age=0, and says when they did
}

// KnownAs is the issuer that is kept with every identity.
func (c ProviderConfig) KnownAs() string { return cmp.Or(c.Alias, c.Issuer) }

// String leaves the secret out.
func (c ProviderConfig) String() string { return "provider " + c.Name }

// LogValue leaves the secret out.
func (c ProviderConfig) LogValue() slog.Value { return slog.StringValue(c.Name) }

// OpenID is any provider that keeps to OpenID Connect.
func OpenID(label, issuer, clientID, clientSecret string) ProviderConfig {
	return ProviderConfig{Name: "oidc", Label: label, Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret, PKCE: true, Nonce: true, MaxAge: true}
}

// Google is Sign in with Google. It knows no max_age, and says when somebody signed in to verified apps alone.
// Source: https://developers.google.com/identity/siwg/security-bundle
func Google(clientID, clientSecret string) ProviderConfig {
	return ProviderConfig{
		Name: "google", Label: "Google", Issuer: "https://accounts.google.com",
		ClientID: clientID, ClientSecret: clientSecret, PKCE: true, Nonce: true,
	}
}

// LinkedIn is Sign in with LinkedIn. It returns no nonce, answers a code_verifier with invalid_client, and its
// discovery document has named another issuer than its tokens before, so the document's is not believed.
func LinkedIn(clientID, clientSecret string) ProviderConfig {
	const issuer = "https://www.linkedin.com/oauth"
	return ProviderConfig{
		Name: "linkedin", Label: "LinkedIn", Issuer: issuer, DiscoveryURL: issuer, ClientID: clientID, ClientSecret: clientSecret,
	}
}

// GitHub is plain OAuth: no ID token, hence neither nonce nor PKCE through goth.
func GitHub(clientID, clientSecret string) ProviderConfig {
	return ProviderConfig{
		Name: gitHubName, Label: "GitHub", Issuer: "https://github.com", API: "https://api.github.com",
		ClientID: clientID, ClientSecret: clientSecret,
	}
}

// Configured returns every provider whose client id and secret are set, the general one first.
func Configured(cfg config.Config) []ProviderConfig {
	var providers []ProviderConfig
	if app := cfg.OIDC; app.Set() {
		providers = append(providers, OpenID(cfg.OIDCName, cfg.OIDCIssuer, app.ClientID, app.ClientSecret.Reveal()))
	}
	for _, known := range []struct {
		app  config.OAuthApp
		with func(clientID, clientSecret string) ProviderConfig
	}{{cfg.Google, Google}, {cfg.GitHub, GitHub}, {cfg.LinkedIn, LinkedIn}} {
		if known.app.Set() {
			providers = append(providers, known.with(known.app.ClientID, known.app.ClientSecret.Reveal()))
		}
	}
	return providers
}

var providerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

func (c ProviderConfig) check() error {
	if !providerName.MatchString(c.Name) {
		return fmt.Errorf("auth: provider %q: the name is part of an address: small letters, digits and dashes", c.Name)
	}
	if c.ClientID == "" || c.ClientSecret == "" {
		return fmt.Errorf("auth: provider %q: client id and client secret are both needed", c.Name)
	}
	if u, err := url.Parse(c.Issuer); err != nil || u.Host == "" {
		return fmt.Errorf("auth: provider %q: the issuer is not an absolute URL", c.Name)
	}
	if c.Name == gitHubName && c.API == "" {
		return fmt.Errorf("auth: provider %q: the API's address is needed", c.Name)
	}
	return nil
}

// provider takes users through one provider's sign-in.
type provider interface {
	config() ProviderConfig
	// begin returns the provider's address for this sign-in.
	begin(ctx context.Context, f Flow) (string, error)
	// complete redeems the code and says who signed in. A *refusal when the provider's answer is not good enough.
	complete(ctx context.Context, f Flow, code string) (profile, error)
}

func newProvider(config ProviderConfig, callback string, client *http.Client, now func() time.Time) provider {
	if config.Name == gitHubName {
		return newGitHub(config, callback, client)
	}
	return &openID{conf: config, callback: callback, client: client, now: now}
}

// completeSafely is p.complete for a library that panics at some answers: those are refused.
func completeSafely(ctx context.Context, p provider, f Flow, code string) (who profile, err error) {
	defer func() {
		if r := recover(); r != nil {
			who, err = profile{}, &refusal{"answer", fmt.Sprintf("the provider's answer cannot be read: %T", r)}
		}
	}()
	return p.complete(ctx, f, code)
}

// bounded cuts every answer of a provider off at maxAnswerBytes: none that means well is longer.
type bounded struct{ next http.RoundTripper }

// RoundTrip sends the request on.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswerBytes), answer.Body}
	}
	return answer, err
}

// boundedClient is client, or a usual one, with bounded answers.
func boundedClient(client *http.Client) *http.Client {
	own := http.Client{Timeout: providerTimeout}
	if client != nil {
		own = *client
	}
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	own.Transport = bounded{own.Transport}
	return &own
}

// refusal is a sign-in that failed, for the log: at which step, and a reason without anything personal in it.
type refusal struct {
	step   string
	reason string
}

// Error describes the refusal for the log.
func (r *refusal) Error() string { return r.step + ": " + r.reason }
