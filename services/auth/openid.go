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

// openID is goth's openidConnect with what it lacks: discovery with a time limit, PKCE and nonce for each sign-in, and
// ID tokens whose signature is checked.
type openID struct {
	conf     ProviderConfig
	callback string
	client   *http.Client
	now      func() time.Time

	discovered atomic.Pointer[discovery]
	looking    singleflight.Group
}

// discovery is what the provider says about itself.
type discovery struct {
	provider *openidConnect.Provider
	verifier *oidc.IDTokenVerifier
	userInfo string // its address; empty where there is none
	authTime bool   // its ID tokens say when the person signed in there
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
	if f.Purpose != "" && p.conf.Nonce { // whoever keeps to OpenID Connect knows the parameter
		query.Set("prompt", "select_account") // or the provider answers for whoever is signed in there
	}
	if f.Purpose != "" && p.conf.MaxAge {
		query.Set("max_age", "0") // the person signs in again there, and auth_time says that they did
	}
	if f.Locale != "" {
		query.Set("ui_locales", f.Locale)
	}
	address.RawQuery = query.Encode()
	return address.String(), nil
}

// authURL asks goth where a sign-in begins.
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
		return nil, errors.New("begin sign-in: the provider's address cannot be read")
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
		return profile{}, &refusal{"id_token", "its claims cannot be read"}
	}
	info, err := p.fetchUserInfo(ctx, d, token.Subject, session.AccessToken)
	if err != nil {
		return profile{}, err
	}
	who := profileOf(token.Subject, claims, info)
	who.Present = p.present(d, claims)
	return who, nil
}

// verify checks the ID token: signature, issuer, audience, who asked for it, expiry, nonce, and that it belongs to the
// access token.
func (p *openID) verify(ctx context.Context, d *discovery, session *openidConnect.Session, f Flow) (*oidc.IDToken, error) {
	token, err := d.verifier.Verify(oidc.ClientContext(ctx, p.client), session.IDToken)
	if err != nil {
		return nil, &refusal{"id_token", err.Error()}
	}
	var party struct {
		Authorized string `json:"azp"`
	}
	// Source: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation, 4 and 5
	if err := token.Claims(&party); err != nil || party.Authorized != p.conf.ClientID && (party.Authorized != "" || len(token.Audience) > 1) {
		return nil, &refusal{"id_token", "it was made for another client"}
	}
	if p.conf.Nonce && (f.Nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(f.Nonce)) != 1) {
		return nil, &refusal{"nonce", "the ID token was made for another sign-in"}
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(session.AccessToken); err != nil {
			return nil, &refusal{"access_token", err.Error()}
		}
	}
	return token, nil
}

// fetchUserInfo asks for what the ID token leaves out; nothing where the provider has no such address. goth's own reads
// an answer of any size and panics on claims of another type.
func (p *openID) fetchUserInfo(ctx context.Context, d *discovery, subject, accessToken string) (map[string]any, error) {
	if d.userInfo == "" {
		return nil, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.userInfo, nil)
	if err != nil {
		return nil, &refusal{"user_info", "the provider's address cannot be read"}
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	answer, err := p.client.Do(req)
	if err != nil {
		return nil, &refusal{"user_info", "the provider did not answer"}
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, &refusal{"user_info", answer.Status}
	}
	var info map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&info); err != nil || info["sub"] != subject {
		return nil, &refusal{"user_info", "the provider's user information could not be used"} // it may say anything: it stays out of the log
	}
	return info, nil
}

// presenceAge is how old a sign-in at the provider may be to prove that the person is present.
const presenceAge = time.Minute

// present reports whether the provider has just made sure that the person is there. Where it says when they signed in,
// that decides. Where it does not (Google, LinkedIn, an OpenID provider that lists no auth_time), a round trip that this
// browser has just made must do: weaker, because the provider may have answered for whoever is still signed in there.
func (p *openID) present(d *discovery, claims map[string]any) bool {
	if !p.conf.MaxAge {
		return true
	}
	at, said := claims["auth_time"].(float64)
	if !said {
		return !d.authTime
	}
	age := p.now().Sub(time.Unix(int64(at), 0))
	return -presenceAge <= age && age <= presenceAge
}

// discover reads the provider's discovery document, once; a failure is tried again at the next sign-in.
// Errors: fault.Unavailable.
func (p *openID) discover(ctx context.Context) (*discovery, error) {
	if d := p.discovered.Load(); d != nil {
		return d, nil
	}
	// Everybody waiting shares one request, which therefore must not end with the first of them.
	found := p.looking.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), providerTimeout)
		defer cancel()
		return nil, p.lookUp(ctx)
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

// lookUp fetches the document and keeps what it says.
func (p *openID) lookUp(ctx context.Context) error {
	ctx = oidc.ClientContext(ctx, p.client)
	from := p.conf.Issuer
	if p.conf.DiscoveryURL != "" {
		from = p.conf.DiscoveryURL
		ctx = oidc.InsecureIssuerURLContext(ctx, p.conf.Issuer)
	}
	about, err := oidc.NewProvider(ctx, from)
	if err != nil {
		return err
	}
	var more struct {
		Claims []string `json:"claims_supported"`
	}
	if err := about.Claims(&more); err != nil {
		return err
	}
	endpoint := about.Endpoint()
	provider, err := openidConnect.NewCustomisedURL(p.conf.ClientID, p.conf.ClientSecret, p.callback,
		endpoint.AuthURL, endpoint.TokenURL, p.conf.Issuer, about.UserInfoEndpoint(), "", "openid", "profile", "email")
	if err != nil {
		return err
	}
	provider.HTTPClient = p.client
	p.discovered.Store(&discovery{
		provider: provider,
		verifier: about.Verifier(&oidc.Config{ClientID: p.conf.ClientID, Now: p.now}),
		userInfo: about.UserInfoEndpoint(),
		authTime: slices.Contains(more.Claims, "auth_time"),
	})
	return nil
}

// exchangeRefusal keeps of a failed code exchange what may be logged: the provider's answer may quote anything.
func exchangeRefusal(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) {
		status := 0
		if answer.Response != nil {
			status = answer.Response.StatusCode
		}
		return &refusal{"code_exchange", fmt.Sprintf("status %d, %s", status, errorCode(answer.ErrorCode))}
	}
	var network *url.Error
	if errors.As(err, &network) {
		return &refusal{"code_exchange", network.Err.Error()}
	}
	return &refusal{"code_exchange", "the provider's answer cannot be used"}
}
