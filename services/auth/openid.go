package auth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/openidConnect"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/resume-matcher/credits/services/fault"
)

// openID is goth's openidConnect with what it lacks: discovery with a time limit, PKCE and nonce per flow, and checked
// signatures of ID tokens.
type openID struct {
	conf     ProviderConfig
	callback string
	client   *http.Client
	now      func() time.Time

	discovered  atomic.Pointer[discovery]
	discovering singleflight.Group
}

// discovery is the provider's discovery document.
type discovery struct {
	provider *openidConnect.Provider
	verifier *oidc.IDTokenVerifier
	userInfo string // its address; empty if the provider has none
	authTime bool   // the provider lists the claim auth_time
}

func (p *openID) config() ProviderConfig { return p.conf }

func (p *openID) begin(ctx context.Context, f Flow) (string, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	address, err := authURL(d.provider, f.State)
	if err != nil {
		return "", err
	}
	query := address.Query()
	if p.conf.PKCE {
		query.Set("code_challenge", oauth2.S256ChallengeFromVerifier(f.Verifier))
		query.Set("code_challenge_method", "S256")
	}
	if p.conf.Nonce {
		query.Set("nonce", f.Nonce)
	}
	if f.Kind != "" && p.conf.Nonce { // part of OpenID Connect, as the nonce is
		query.Set("prompt", "select_account") // otherwise the provider uses its current session
	}
	if f.Kind != "" && p.conf.MaxAge {
		query.Set("max_age", "0") // the provider authenticates anew and sends auth_time
	}
	if f.Locale != "" {
		query.Set("ui_locales", f.Locale)
	}
	address.RawQuery = query.Encode()
	return address.String(), nil
}

// authURL returns goth's authorization address.
func authURL(p goth.Provider, state string) (*url.URL, error) {
	session, err := p.BeginAuth(state)
	if err != nil {
		return nil, fmt.Errorf("begin sign-in: %w", err)
	}
	raw, err := session.GetAuthURL()
	if err != nil {
		return nil, fmt.Errorf("begin sign-in: %w", err)
	}
	address, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("begin sign-in: invalid authorization address")
	}
	return address, nil
}

func (p *openID) complete(ctx context.Context, f Flow, code string) (profile, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return profile{}, err
	}
	params := url.Values{"code": {code}}
	if p.conf.PKCE {
		params.Set("code_verifier", f.Verifier)
	}
	session := &openidConnect.Session{}
	if _, err := session.Authorize(d.provider, params); err != nil {
		return profile{}, exchangeRefusal(err)
	}
	token, err := p.verify(ctx, d, session, f)
	if err != nil {
		return profile{}, err
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return profile{}, &refusal{"id_token", "invalid claims"}
	}
	info, err := p.fetchUserInfo(ctx, d, token.Subject, session.AccessToken)
	if err != nil {
		return profile{}, err
	}
	person := profileOf(token.Subject, claims, info)
	person.Reauthenticated = p.reauthenticated(d, claims)
	return person, nil
}

// verify checks the ID token: signature, issuer, audience, authorized party, expiry, nonce and access token hash.
func (p *openID) verify(ctx context.Context, d *discovery, session *openidConnect.Session, f Flow) (*oidc.IDToken,
	error) {
	token, err := d.verifier.Verify(oidc.ClientContext(ctx, p.client), session.IDToken)
	if err != nil {
		return nil, &refusal{"id_token", err.Error()}
	}
	var party struct {
		Authorized string `json:"azp"`
	}
	// Source: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation, 4 and 5
	if err := token.Claims(&party); err != nil ||
		party.Authorized != p.conf.ClientID && (party.Authorized != "" || len(token.Audience) > 1) {
		return nil, &refusal{"id_token", "of another client"}
	}
	if p.conf.Nonce && (f.Nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(f.Nonce)) != 1) {
		return nil, &refusal{"nonce", "of another flow"}
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(session.AccessToken); err != nil {
			return nil, &refusal{"access_token", err.Error()}
		}
	}
	return token, nil
}

// fetchUserInfo reads the userinfo endpoint, if there is one. goth's own call reads answers of any size and panics on
// claims of unexpected types.
func (p *openID) fetchUserInfo(ctx context.Context, d *discovery, subject, accessToken string) (map[string]any, error) {
	if d.userInfo == "" {
		return nil, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.userInfo, nil)
	if err != nil {
		return nil, &refusal{"user_info", "invalid address"}
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	answer, err := p.client.Do(req)
	if err != nil {
		return nil, &refusal{"user_info", "no answer"}
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, &refusal{"user_info", answer.Status}
	}
	var info map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&info); err != nil || info["sub"] != subject {
		return nil, &refusal{"user_info", "invalid answer"} // its content stays out of the log
	}
	return info, nil
}

// maxAuthAge is how old the provider's auth_time may be to count as a reauthentication.
const maxAuthAge = time.Minute

// reauthenticated reports whether the provider has just authenticated the person anew, by its auth_time. Without
// auth_time (Google, LinkedIn, providers that do not list the claim), the round trip counts. That is weaker: the
// provider may have used a session that was still open there.
func (p *openID) reauthenticated(d *discovery, claims map[string]any) bool {
	if !p.conf.MaxAge {
		return true
	}
	at, ok := claims["auth_time"].(float64)
	if !ok {
		return !d.authTime
	}
	age := p.now().Sub(time.Unix(int64(at), 0))
	return -maxAuthAge <= age && age <= maxAuthAge
}

// discover reads the provider's discovery document once. After a failure, the next sign-in tries again.
// Errors: fault.Unavailable.
func (p *openID) discover(ctx context.Context) (*discovery, error) {
	if d := p.discovered.Load(); d != nil {
		return d, nil
	}
	// Concurrent callers share one request, which must outlive the first of them.
	found := p.discovering.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), providerTimeout)
		defer cancel()
		return nil, p.fetchDiscovery(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err())
	case result := <-found:
		if result.Err != nil {
			return nil, fault.Wrap(fault.Unavailable, fmt.Errorf("discover provider %s: %w", p.conf.Name, result.Err))
		}
		return p.discovered.Load(), nil
	}
}

// fetchDiscovery fetches the document and stores it.
func (p *openID) fetchDiscovery(ctx context.Context) error {
	ctx = oidc.ClientContext(ctx, p.client)
	address := p.conf.Issuer
	if p.conf.DiscoveryURL != "" {
		address = p.conf.DiscoveryURL
		ctx = oidc.InsecureIssuerURLContext(ctx, p.conf.Issuer)
	}
	document, err := oidc.NewProvider(ctx, address)
	if err != nil {
		return err
	}
	var listed struct {
		Claims []string `json:"claims_supported"`
	}
	if err := document.Claims(&listed); err != nil {
		return err
	}
	endpoint := document.Endpoint()
	provider, err := openidConnect.NewCustomisedURL(p.conf.ClientID, p.conf.ClientSecret, p.callback,
		endpoint.AuthURL, endpoint.TokenURL, p.conf.Issuer, document.UserInfoEndpoint(), "", "openid", "profile", "email")
	if err != nil {
		return err
	}
	provider.HTTPClient = p.client
	p.discovered.Store(&discovery{
		provider: provider,
		verifier: document.Verifier(&oidc.Config{ClientID: p.conf.ClientID, Now: p.now}),
		userInfo: document.UserInfoEndpoint(),
		authTime: slices.Contains(listed.Claims, "auth_time"),
	})
	return nil
}

// exchangeRefusal reduces the error of a code exchange to what may be logged: a provider's answer may quote anything.
func exchangeRefusal(err error) error {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status := 0
		if answer.Response != nil {
			status = answer.Response.StatusCode
		}
		return &refusal{"code_exchange", fmt.Sprintf("status %d, %s", status, errorCode(answer.ErrorCode))}
	}
	if network, ok := errors.AsType[*url.Error](err); ok {
		return &refusal{"code_exchange", network.Err.Error()}
	}
	return &refusal{"code_exchange", "invalid answer"}
}
