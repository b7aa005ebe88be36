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

// checkSignIn names the callback to enter at each provider, and the providers without auth_time, whose reauthentication
// is weaker.
func (s *SetUp) checkSignIn(ctx context.Context) []Check {
	var checks []Check
	var weaker []string
	for _, p := range config.Providers {
		if !p.App(s.Config).Set() || p.Name == config.OpenID && s.Config.LocalSignIn { // the stand-in knows ours
			continue
		}
		label := p.Label(s.Config)
		checks = append(checks, signInArea.ok("doctor.sign_in.callback", facts{
			"provider": label, "callback": s.Config.AppURL + "/auth/" + p.Name + "/callback"})...)
		if p.Name != config.OpenID { // of which checkIssuer finds out
			weaker = append(weaker, label)
		}
	}
	if len(weaker) > 0 {
		checks = append(checks, signInArea.warning(weakPresence, facts{"providers": strings.Join(weaker, ", ")})...)
	}
	if s.Config.OIDC.Set() && s.Config.OIDCIssuer != "" && !s.hasProblem("OIDC_ISSUER") {
		checks = append(checks, s.checkIssuer(ctx)...)
	}
	switch {
	case s.Config.LocalSignIn && !s.sandbox():
		return append(signInArea.ok("doctor.sign_in.local", nil), checks...)
	case s.Config.LocalSignIn:
		return append(signInArea.ok("doctor.sign_in.sandbox", nil), checks...)
	case len(checks) > 0:
		return checks
	}
	return signInArea.wrong("GOOGLE_CLIENT_ID", "doctor.sign_in.none")
}

// weakPresence is the text about providers without auth_time.
const weakPresence = "doctor.sign_in.presence"

// maxDocument bounds a discovery document.
const maxDocument = 1 << 20

// checkIssuer reads the discovery document of the OpenID provider.
// Source: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
func (s *SetUp) checkIssuer(ctx context.Context) []Check {
	ctx, cancel := limited(ctx)
	defer cancel()
	address := strings.TrimSuffix(s.Config.OIDCIssuer, "/") + "/.well-known/openid-configuration"
	args := facts{"issuer": s.Config.OIDCIssuer, "address": address}
	found, err := discover(ctx, address)
	switch {
	case err != nil:
		return signInArea.red("doctor.sign_in.no_discovery", args)
	case found.Issuer != s.Config.OIDCIssuer:
		args["named"] = found.Issuer
		return signInArea.red("doctor.sign_in.issuer", args)
	case !slices.Contains(found.Claims, "auth_time"):
		return signInArea.warning(weakPresence, facts{"providers": s.Config.OIDCName})
	}
	return signInArea.ok("doctor.sign_in.issuer_ok", args)
}

// document is a discovery document.
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
	defer func() { _ = res.Body.Close() }() // only read
	if res.StatusCode != http.StatusOK {
		return found, errors.New("no discovery document")
	}
	err = json.NewDecoder(io.LimitReader(res.Body, maxDocument)).Decode(&found)
	return found, err
}
