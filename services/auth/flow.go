package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"time"

	"golang.org/x/oauth2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

const (
	flowLifetime = 10 * time.Minute
	maxCodeBytes = 4096
)

// Flow is one sign-in on its way. It stays in the server's session and is taken out of it, for good, before Complete
// sees it: a flow is good for one try.
type Flow struct {
	Provider  string    `json:"provider"`
	State     string    `json:"state"`
	Verifier  string    `json:"verifier"`
	Nonce     string    `json:"nonce"`
	Locale    string    `json:"locale"`
	ReturnTo  string    `json:"return_to"` // the caller's own; not looked at here
	Purpose   Purpose   `json:"purpose,omitempty"`
	StartedAt time.Time `json:"started_at"`
}

// Begin starts a sign-in and returns the provider's address for it. With a purpose somebody is signed in already, and
// the provider is asked to let them choose as whom.
// Errors: fault.NotFound for a provider that is not configured; fault.Unavailable when it does not answer.
func (s *Service) Begin(ctx context.Context, provider, locale string, purpose Purpose) (string, Flow, error) {
	p := s.provider(provider)
	if p == nil {
		return "", Flow{}, fault.New(fault.NotFound, nil)
	}
	if !models.KnownLocale(locale) {
		locale = ""
	}
	state, err := randomText()
	if err != nil {
		return "", Flow{}, err
	}
	nonce, err := randomText()
	if err != nil {
		return "", Flow{}, err
	}
	flow := Flow{
		Provider: provider, State: state, Verifier: oauth2.GenerateVerifier(), Nonce: nonce,
		Locale: locale, StartedAt: s.now(), Purpose: purpose,
	}
	address, err := p.begin(ctx, flow)
	if err != nil {
		return "", Flow{}, err
	}
	return address, flow, nil
}

// randomText returns 256 random bits.
func randomText() (string, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// Complete ends a sign-in with what the provider sent back, and returns the user: found, linked or new.
//
// Locks: the identity and its e-mail address, then the users concerned.
// Errors: fault.Malformed with fault.SignInExpired or fault.SignInFailed; the log has the details. fault.Unavailable
// when the provider cannot even be looked up.
func (s *Service) Complete(ctx context.Context, flow Flow, query url.Values) (models.User, error) {
	config, who, err := s.identify(ctx, flow, query)
	if err != nil {
		return models.User{}, err
	}
	return s.signIn(ctx, config, who, flow.Locale)
}

// identify checks what the provider sent back and returns who it says this is.
func (s *Service) identify(ctx context.Context, flow Flow, query url.Values) (ProviderConfig, profile, error) {
	refused := func(told fault.Problem, why error) (ProviderConfig, profile, error) {
		return ProviderConfig{}, profile{}, s.refuse(ctx, flow, told, why)
	}
	p := s.provider(flow.Provider)
	if p == nil {
		return refused(fault.SignInFailed, &refusal{"flow", "no such provider"})
	}
	code, err := s.accept(p.config(), flow, query)
	if errors.Is(err, errFlowExpired) {
		return refused(fault.SignInExpired, err)
	}
	if err != nil {
		return refused(fault.SignInFailed, err)
	}
	said, err := p.complete(ctx, flow, code)
	if fault.Of(err) != nil {
		return ProviderConfig{}, profile{}, err
	}
	if err != nil {
		return refused(fault.SignInFailed, err)
	}
	who, ok := said.clean()
	if !ok {
		return refused(fault.SignInFailed, &refusal{"subject", "the provider's id for the user cannot be one"})
	}
	return p.config(), who, nil
}

// errFlowExpired is a sign-in that took too long.
var errFlowExpired error = &refusal{"flow", "expired"}

// accept checks the provider's answer against the flow and returns its code.
func (s *Service) accept(config ProviderConfig, flow Flow, query url.Values) (string, error) {
	state := only(query, "state")
	if flow.State == "" || state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(flow.State)) != 1 {
		return "", &refusal{"state", "not the one that was sent"}
	}
	if age := s.now().Sub(flow.StartedAt); age > flowLifetime {
		return "", errFlowExpired
	}
	if query.Has("error") {
		return "", &refusal{"provider", errorCode(query.Get("error"))}
	}
	if query.Has("iss") && only(query, "iss") != config.Issuer { // RFC 9207: an answer of another provider
		return "", &refusal{"issuer", "the answer is another provider's"}
	}
	code := only(query, "code")
	if code == "" || len(code) > maxCodeBytes {
		return "", &refusal{"code", "missing or too long"}
	}
	return code, nil
}

// only returns a parameter that must not appear twice.
func only(query url.Values, name string) string {
	if values := query[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

var knownErrorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// errorCode makes a provider's error code fit for the log.
func errorCode(code string) string {
	if knownErrorCode.MatchString(code) {
		return code
	}
	return "no error code"
}

// refuse logs why a sign-in failed and returns what the user is told.
func (s *Service) refuse(ctx context.Context, flow Flow, told fault.Problem, why error) error {
	step, reason := "internal", "unexpected error"
	var r *refusal
	if errors.As(why, &r) {
		step, reason = r.step, r.reason
	}
	name := flow.Provider
	if s.provider(name) == nil {
		name = ""
	}
	s.log.WarnContext(ctx, "sign-in refused", "provider", name, "step", step, "reason", reason)
	return fault.Because(fault.Malformed, told)
}
