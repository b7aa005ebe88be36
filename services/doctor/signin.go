package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/services/config"
)

const signInArea = area("doctor.area.sign_in")

// checkSignIn says for each provider which address must be entered there, and which of them send no auth_time: their
// proof that the person is present is weaker.
func (s *SetUp) checkSignIn(ctx context.Context) []Check {
	const authTime = true
	var checks []Check
	var weaker []string
	for _, provider := range []struct {
		route, name string
		app         config.OAuthApp
		authTime    bool
	}{
		{"google", "Google", s.Config.Google, !authTime}, {"github", "GitHub", s.Config.GitHub, !authTime},
		{"linkedin", "LinkedIn", s.Config.LinkedIn, !authTime}, {"oidc", s.Config.OIDCName, s.Config.OIDC, authTime}, // checkIssuer reads whether
	} {
		if !provider.app.Set() {
			continue
		}
		checks = append(checks, signInArea.ok("doctor.sign_in.callback", facts{
			"provider": provider.name, "callback": s.Config.AppURL + "/auth/" + provider.route + "/callback"})...)
		if !provider.authTime {
			weaker = append(weaker, provider.name)
		}
	}
	if len(weaker) > 0 {
		checks = append(checks, signInArea.warning(weakPresence, facts{"providers": strings.Join(weaker, ", ")})...)
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

// weakPresence is the text about providers that send no auth_time.
const weakPresence = "doctor.sign_in.presence"

// maxDocument bounds a discovery document.
const maxDocument = 1 << 20

// checkIssuer reads what the OpenID provider says about itself.
// Source: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
func (s *SetUp) checkIssuer(ctx context.Context) []Check {
	ctx, cancel := limited(ctx)
	defer cancel()
	address := strings.TrimSuffix(s.Config.OIDCIssuer, "/") + "/.well-known/openid-configuration"
	said := facts{"issuer": s.Config.OIDCIssuer, "address": address}
	found, err := discover(ctx, address)
	switch {
	case err != nil:
		return signInArea.red("doctor.sign_in.no_discovery", said)
	case found.Issuer != s.Config.OIDCIssuer:
		said["named"] = found.Issuer
		return signInArea.red("doctor.sign_in.issuer", said)
	case !slices.Contains(found.Claims, "auth_time"):
		return signInArea.warning(weakPresence, facts{"providers": s.Config.OIDCName})
	}
	return signInArea.ok("doctor.sign_in.issuer_ok", said)
}

// document is what a provider's discovery document says.
type document struct {
	Issuer string   `json:"issuer"`
	Claims []string `json:"claims_supported"`
}

func discover(ctx context.Context, address string) (document, error) {
	var found document
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return found, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return found, err
	}
	defer func() { _ = res.Body.Close() }() // read or not, there is nothing left to do with it
	if res.StatusCode != http.StatusOK {
		return found, errors.New("no discovery document")
	}
	err = json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(&found)
	return found, err
}
