package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/markbates/goth/providers/github"
)

const (
	gitHubName     = "github"
	maxAnswerBytes = 1 << 20
)

// gitHub is goth's github provider. A GitHub profile does not say whether its address is verified, so the list of
// addresses is read as well.
type gitHub struct {
	conf     ProviderConfig
	provider *github.Provider
	client   *http.Client
}

func newGitHub(config ProviderConfig, callback string, client *http.Client) *gitHub {
	site, api := strings.TrimRight(config.Issuer, "/"), strings.TrimRight(config.API, "/")
	config.API = api
	p := github.NewCustomisedURL(config.ClientID, config.ClientSecret, callback,
		site+"/login/oauth/authorize", site+"/login/oauth/access_token", api+"/user", api+"/user/emails", "user:email")
	p.HTTPClient = client
	return &gitHub{conf: config, provider: p, client: client}
}

func (p *gitHub) config() ProviderConfig { return p.conf }

func (p *gitHub) begin(_ context.Context, f Flow) (string, error) {
	address, err := authURL(p.provider, f.State)
	if err != nil {
		return "", err
	}
	if f.Kind != "" { // Source: https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
		query := address.Query()
		query.Set("prompt", "select_account")
		address.RawQuery = query.Encode()
	}
	return address.String(), nil
}

func (p *gitHub) complete(ctx context.Context, _ Flow, code string) (profile, error) {
	session := &github.Session{}
	if _, err := session.Authorize(p.provider, url.Values{"code": {code}}); err != nil {
		return profile{}, exchangeRefusal(err)
	}
	user, err := p.provider.FetchUser(session)
	if err != nil && !errors.Is(err, github.ErrNoVerifiedGitHubPrimaryEmail) {
		return profile{}, &refusal{"user_info", "invalid answer"}
	}
	if user.UserID == "0" { // goth's value for a missing id
		return profile{}, &refusal{"user_info", "no user id"}
	}
	email, err := p.verifiedEmail(ctx, session.AccessToken)
	if err != nil {
		return profile{}, err
	}
	name := user.Name
	if name == "" {
		name = user.NickName
	}
	return profile{Subject: user.UserID, Name: name, Email: email, EmailVerified: email != "",
		Reauthenticated: true}, nil // GitHub sends no auth_time: the round trip counts
}

// verifiedEmail returns the user's primary address, "" if GitHub has not verified it.
func (p *gitHub) verifiedEmail(ctx context.Context, accessToken string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.conf.API+"/user/emails", nil)
	if err != nil {
		return "", fmt.Errorf("read addresses from GitHub: %w", err)
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("Authorization", "Bearer "+accessToken)
	answer, err := p.client.Do(req)
	if err != nil {
		return "", &refusal{"emails", "no answer"}
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return "", &refusal{"emails", answer.Status}
	}
	var emails []struct {
		Email             string
		Primary, Verified bool
	}
	if err := json.NewDecoder(answer.Body).Decode(&emails); err != nil {
		return "", &refusal{"emails", "invalid answer"}
	}
	for _, e := range emails {
		if e.Primary && e.Verified {
			return e.Email, nil
		}
	}
	return "", nil
}
