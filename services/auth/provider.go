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

// ProviderConfig describes one provider.
type ProviderConfig struct {
	Name         string // the route: oidc, google, github, linkedin
	Label        string // what the sign-in page calls it
	Issuer       string // as in its ID tokens
	Alias        string // stored with identities instead of Issuer; neither may change
	DiscoveryURL string // of the discovery document, if it is not under Issuer
	API          string // address of GitHub's API
	ClientID     string
	ClientSecret string
	PKCE         bool // the provider accepts a code_verifier
	Nonce        bool // the provider returns the nonce in ID tokens
	MaxAge       bool // the provider supports max_age and auth_time
}

// StoredIssuer is the issuer that is stored with identities.
func (c ProviderConfig) StoredIssuer() string { return cmp.Or(c.Alias, c.Issuer) }

// String leaves the secret out.
func (c ProviderConfig) String() string { return "provider " + c.Name }

// LogValue leaves the secret out.
func (c ProviderConfig) LogValue() slog.Value { return slog.StringValue(c.Name) }

// OpenID is any provider that supports OpenID Connect.
func OpenID(label, issuer, clientID, clientSecret string) ProviderConfig {
	return ProviderConfig{
		Name: config.OpenID, Label: label, Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret,
		PKCE: true, Nonce: true, MaxAge: true,
	}
}

// Google is Sign in with Google. It ignores max_age, and sends auth_time to verified apps only.
// Source: https://developers.google.com/identity/siwg/security-bundle
func Google(clientID, clientSecret string) ProviderConfig {
	return ProviderConfig{
		Name: "google", Issuer: "https://accounts.google.com",
		ClientID: clientID, ClientSecret: clientSecret, PKCE: true, Nonce: true,
	}
}

// LinkedIn is Sign in with LinkedIn. It returns no nonce and answers a code_verifier with invalid_client. Its discovery
// document has named another issuer than its tokens before, so the issuer is fixed here.
func LinkedIn(clientID, clientSecret string) ProviderConfig {
	const issuer = "https://www.linkedin.com/oauth"
	return ProviderConfig{
		Name: "linkedin", Issuer: issuer, DiscoveryURL: issuer,
		ClientID: clientID, ClientSecret: clientSecret,
	}
}

// GitHub is plain OAuth: without ID tokens there is no nonce, and goth offers no PKCE for it.
func GitHub(clientID, clientSecret string) ProviderConfig {
	return ProviderConfig{
		Name: gitHubName, Issuer: "https://github.com", API: "https://api.github.com",
		ClientID: clientID, ClientSecret: clientSecret,
	}
}

// constructors describe the providers of config.Providers. OpenID is called with the configured issuer.
var constructors = map[string]func(clientID, clientSecret string) ProviderConfig{
	"google": Google, gitHubName: GitHub, "linkedin": LinkedIn,
}

// Configured returns the providers that have a client id and a secret.
func Configured(cfg config.Config) (providers []ProviderConfig) {
	for _, p := range config.Providers {
		app := p.App(cfg)
		switch id, secret := app.ClientID, app.ClientSecret.Reveal(); {
		case !app.Set():
		case p.Name == config.OpenID:
			providers = append(providers, OpenID(p.Label(cfg), cfg.OIDCIssuer, id, secret))
		default:
			provider := constructors[p.Name](id, secret)
			provider.Name, provider.Label = p.Name, p.Label(cfg)
			providers = append(providers, provider)
		}
	}
	return providers
}

var providerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

func (c ProviderConfig) check() error {
	if !providerName.MatchString(c.Name) {
		return fmt.Errorf("auth: provider %q: the name must be lower-case letters, digits and dashes", c.Name)
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

// provider implements the sign-in of one provider.
type provider interface {
	config() ProviderConfig
	// begin returns the provider's address for this sign-in.
	begin(ctx context.Context, f Flow) (string, error)
	// complete exchanges the code for a profile. Errors: *refusal for an unacceptable answer.
	complete(ctx context.Context, f Flow, code string) (profile, error)
}

func newProvider(config ProviderConfig, callback string, client *http.Client, now func() time.Time) provider {
	if config.Name == gitHubName {
		return newGitHub(config, callback, client)
	}
	return &openID{conf: config, callback: callback, client: client, now: now}
}

// completeRecovering calls p.complete and refuses answers at which the library panics.
func completeRecovering(ctx context.Context, p provider, f Flow, code string) (person profile, err error) {
	defer func() {
		if r := recover(); r != nil {
			person, err = profile{}, &refusal{"answer", fmt.Sprintf("invalid answer: %T", r)}
		}
	}()
	return p.complete(ctx, f, code)
}

// limitedTransport cuts every answer at maxAnswerBytes.
type limitedTransport struct{ next http.RoundTripper }

// RoundTrip sends the request.
func (t limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, maxAnswerBytes), answer.Body}
	}
	return answer, err
}

// limitedClient returns client, or a default one, with limited answers.
func limitedClient(client *http.Client) *http.Client {
	own := http.Client{Timeout: providerTimeout}
	if client != nil {
		own = *client
	}
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	own.Transport = limitedTransport{own.Transport}
	return &own
}

// refusal is a failed sign-in for the log: the step, and a reason without personal data.
type refusal struct {
	step   string
	reason string
}

// Error describes the refusal for the log.
func (r *refusal) Error() string { return r.step + ": " + r.reason }
