package config

import "strings"

// OAuthApp is our registration with one provider. Both parts or none.
type OAuthApp struct {
	ClientID     string `env:"CLIENT_ID"`
	ClientSecret Secret `env:"CLIENT_SECRET"`
}

// Set reports whether the provider is offered.
func (a OAuthApp) Set() bool { return a.ClientID != "" && a.ClientSecret != "" }

// Provider is a sign-in provider that can be configured.
type Provider struct {
	Name  string                // as in /auth/NAME and, in capitals, in NAME_CLIENT_ID and NAME_CLIENT_SECRET
	Label func(c Config) string // what pages call it
	App   func(c Config) OAuthApp
}

// OpenID is the name of the provider that OIDC_ISSUER chooses.
const OpenID = "oidc"

// Providers are all sign-in providers, in the order of the sign-in page. Package auth has the code of each.
var Providers = []Provider{
	{OpenID, func(c Config) string { return c.OIDCName }, func(c Config) OAuthApp { return c.OIDC }},
	{"google", label("Google"), func(c Config) OAuthApp { return c.Google }},
	{"github", label("GitHub"), func(c Config) OAuthApp { return c.GitHub }},
	{"linkedin", label("LinkedIn"), func(c Config) OAuthApp { return c.LinkedIn }},
}

func label(text string) func(Config) string { return func(Config) string { return text } }

// ClientID is the name of the variable for the client id.
func (p Provider) ClientID() string { return strings.ToUpper(p.Name) + "_CLIENT_ID" }

// ClientSecret is the name of the variable for the client secret.
func (p Provider) ClientSecret() string { return strings.ToUpper(p.Name) + "_CLIENT_SECRET" }
