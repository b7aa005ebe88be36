package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	requestLifetime = 15 * time.Minute // to choose who to be
	codeLifetime    = time.Minute      // to fetch the tokens
	tokenLifetime   = 10 * time.Minute
)

var (
	errUnknown     = errors.New("unknown or expired")
	errUnsupported = errors.New("not offered by this provider")
)

// token is one access token, good for one look at userinfo and the like.
type token struct {
	person    person
	scopes    []string
	expiresAt time.Time
}

// code stands for a finished sign-in until the product fetches the tokens.
type code struct {
	request   *request
	expiresAt time.Time
}

// store is all that the provider remembers: nothing but sign-ins under way. It implements op.Storage.
type store struct {
	client *client
	key    *signingKey

	mu       sync.Mutex
	requests map[string]*request
	codes    map[string]code
	tokens   map[string]token
}

var (
	_ op.Storage                   = (*store)(nil)
	_ op.CanSetUserinfoFromRequest = (*store)(nil)
)

func newStore(o Options) (*store, error) {
	key, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	return &store{
		client:   &client{id: o.ClientID, secret: o.ClientSecret, redirects: o.RedirectURLs},
		key:      key,
		requests: map[string]*request{}, codes: map[string]code{}, tokens: map[string]token{},
	}, nil
}

// sweep deletes expired entries. Locks: the caller holds mu.
func (s *store) sweep(now time.Time) {
	for id, r := range s.requests {
		if now.After(r.expiresAt) {
			delete(s.requests, id)
		}
	}
	for id, c := range s.codes {
		if now.After(c.expiresAt) {
			delete(s.codes, id)
		}
	}
	for id, t := range s.tokens {
		if now.After(t.expiresAt) {
			delete(s.tokens, id)
		}
	}
}

// CreateAuthRequest begins a sign-in. The provider has no sessions, so it always shows the page.
func (s *store) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if len(asked.Prompt) == 1 && asked.Prompt[0] == oidc.PromptNone {
		return nil, oidc.ErrLoginRequired()
	}
	now := time.Now()
	r := &request{id: rand.Text(), asked: *asked, expiresAt: now.Add(requestLifetime)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	s.requests[r.id] = r
	return r, nil
}

// AuthRequestByID finds a sign-in under way. The library gets a copy: the original changes under the lock only.
func (s *store) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	r, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s *store) find(id string) (*request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(time.Now())
	r, ok := s.requests[id]
	if !ok {
		return nil, errUnknown
	}
	found := *r
	return &found, nil
}

// choose sets the person of a sign-in. It reports false for one that is unknown, expired or completed.
func (s *store) choose(id string, p person) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.sweep(now)
	r, ok := s.requests[id]
	if !ok || r.done {
		return false
	}
	r.person, r.done, r.signedIn = p, true, now.UTC()
	return true
}

// SaveAuthCode ends the request and keeps its code.
func (s *store) SaveAuthCode(_ context.Context, id, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return errUnknown
	}
	delete(s.requests, id)
	s.codes[value] = code{request: r, expiresAt: time.Now().Add(codeLifetime)}
	return nil
}

// AuthRequestByCode redeems a code once, even if the exchange then fails.
func (s *store) AuthRequestByCode(_ context.Context, value string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(time.Now())
	c, ok := s.codes[value]
	if !ok {
		return nil, errUnknown
	}
	delete(s.codes, value)
	return c.request, nil
}

// DeleteAuthRequest forgets a sign-in.
func (s *store) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

// CreateAccessToken creates the token for userinfo.
func (s *store) CreateAccessToken(_ context.Context, asked op.TokenRequest) (string, time.Time, error) {
	r, ok := asked.(*request)
	if !ok {
		return "", time.Time{}, errUnsupported
	}
	id, expires := rand.Text(), time.Now().Add(tokenLifetime).UTC()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[id] = token{person: r.person, scopes: r.GetScopes(), expiresAt: expires}
	return id, expires, nil
}

// SigningKey, SignatureAlgorithms and KeySet give the one key of this run.
func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

// SignatureAlgorithms is only RS256.
func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// KeySet publishes the key.
func (s *store) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.key}}, nil }

// GetClientByClientID returns the product, the only client.
func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != s.client.id {
		return nil, errUnknown
	}
	return s.client, nil
}

// AuthorizeClientIDSecret checks the product's password.
func (s *store) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != s.client.id || subtle.ConstantTimeCompare([]byte(secret), []byte(s.client.secret)) != 1 {
		return errUnknown
	}
	return nil
}

// SetUserinfoFromRequest fills an ID token.
func (s *store) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, asked op.IDTokenRequest,
	scopes []string) error {
	r, ok := asked.(*request)
	if !ok {
		return errUnsupported
	}
	describe(info, r.person, scopes)
	return nil
}

// SetUserinfoFromToken fills a userinfo answer.
func (s *store) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, _, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(time.Now())
	t, ok := s.tokens[id]
	if !ok {
		return errUnknown
	}
	describe(info, t.person, t.scopes)
	return nil
}

func describe(info *oidc.UserInfo, p person, scopes []string) {
	info.Subject = p.Subject
	for _, scope := range scopes {
		switch scope {
		case oidc.ScopeEmail:
			info.Email, info.EmailVerified = p.Email, oidc.Bool(p.EmailVerified)
			if !p.EmailVerified { // the library leaves false out; a provider says it
				info.AppendClaims("email_verified", false)
			}
		case oidc.ScopeProfile:
			info.Name, info.Locale = p.Name, oidc.NewLocale(p.Locale)
		}
	}
}
