package auth

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/config"
)

func TestNewRefusesInvalidOptions(t *testing.T) {
	t.Parallel()
	good := OpenID("Demo", "https://id.example.com", "id", "secret")
	for name, o := range map[string]Options{
		"no address":       {},
		"a path":           {AppURL: "/x"},
		"an invalid admin": {AppURL: appURL, AdminEmails: []string{"root"}},
		"no client secret": {AppURL: appURL,
			Providers: []ProviderConfig{OpenID("Demo", "https://id.example.com", "id", "")}},
		"no issuer": {AppURL: appURL, Providers: []ProviderConfig{OpenID("Demo", "", "id", "secret")}},
		"no name": {AppURL: appURL,
			Providers: []ProviderConfig{{Issuer: "https://id.example.com", ClientID: "id", ClientSecret: "s"}}},
		"GitHub without API": {AppURL: appURL,
			Providers: []ProviderConfig{{Name: "github", Issuer: "https://github.com", ClientID: "i", ClientSecret: "s"}}},
		"one name twice": {AppURL: appURL, Providers: []ProviderConfig{good, good}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: got success, want an error", name)
		}
	}
}

func TestEveryProviderHasAConstructor(t *testing.T) {
	t.Parallel()
	for _, p := range config.Providers {
		if p.Name != config.OpenID && constructors[p.Name] == nil {
			t.Errorf("%s: got no constructor", p.Name)
		}
	}
}

func TestProvidersAreListedInOrder(t *testing.T) {
	t.Parallel()
	app := config.OAuthApp{ClientID: "i", ClientSecret: "s"}
	s, err := New(Options{AppURL: appURL, Providers: Configured(config.Config{
		OIDC: app, OIDCIssuer: "https://id.example.com", OIDCName: "Demo", Google: app, GitHub: app, LinkedIn: app,
	}), Now: models.Now})
	if err != nil {
		t.Fatal(err)
	}
	want := []Choice{{"oidc", "Demo"}, {"google", "Google"}, {"github", "GitHub"}, {"linkedin", "LinkedIn"}}
	if diff := cmp.Diff(want, s.Providers()); diff != "" {
		t.Errorf("providers (-want +got):\n%s", diff)
	}
	if text := Google("i", "canary").String() +
		Google("i", "canary").LogValue().String(); strings.Contains(text, "canary") {
		t.Errorf("got the secret in %q", text)
	}
}
