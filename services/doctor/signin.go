package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/resume-matcher/credits/services/config"
)

const signInArea = area("doctor.area.sign_in")

// checkSignIn says for each provider which address must be entered there.
func (s *SetUp) checkSignIn(ctx context.Context) []Check {
	var checks []Check
	for _, provider := range []struct {
		route, name string
		app         config.OAuthApp
	}{
		{"google", "Google", s.Config.Google}, {"github", "GitHub", s.Config.GitHub}, {"linkedin", "LinkedIn", s.Config.LinkedIn},
		{"oidc", s.Config.OIDCName, s.Config.OIDC},
	} {
		if provider.app.Set() {
			checks = append(checks, signInArea.ok("doctor.sign_in.callback", facts{
				"provider": provider.name, "callback": s.Config.AppURL + "/auth/" + provider.route + "/callback"})...)
		}
	}
	if s.Config.OIDC.Set() && s.Config.OIDCIssuer != "" && !s.complained("OIDC_ISSUER") {
		checks = append(checks, s.checkIssuer(ctx)...)
	}
	switch {
	case len(checks) > 0:
		return checks
	case s.sandbox():
		return signInArea.ok("doctor.sign_in.sandbox", nil)
	}
	return signInArea.wrong("GOOGLE_CLIENT_ID", "doctor.sign_in.none")
}

// maxDocument bounds a discovery document.
const maxDocument = 1 << 20

// checkIssuer reads what the OpenID provider says about itself.
// Source: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
func (s *SetUp) checkIssuer(ctx context.Context) []Check {
	ctx, cancel := limited(ctx)
	defer cancel()
	address := strings.TrimSuffix(s.Config.OIDCIssuer, "/") + "/.well-known/openid-configuration"
	said := facts{"issuer": s.Config.OIDCIssuer, "address": address}
	named, err := discover(ctx, address)
	switch {
	case err != nil:
		return signInArea.red("doctor.sign_in.no_discovery", said)
	case named != s.Config.OIDCIssuer:
		said["named"] = named
		return signInArea.red("doctor.sign_in.issuer", said)
	}
	return signInArea.ok("doctor.sign_in.issuer_ok", said)
}

func discover(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }() // read or not, there is nothing left to do with it
	if res.StatusCode != http.StatusOK {
		return "", errors.New("no discovery document")
	}
	var document struct {
		Issuer string `json:"issuer"`
	}
	err = json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(&document)
	return document.Issuer, err
}
