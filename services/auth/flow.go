package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"golang.org/x/oauth2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

const (
	maxCodeBytes = 4096
	flowPurpose  = "sign-in flow" // of the seal
)

// Flow is one sign-in on its way. It travels sealed in the browser that began it; Claim makes it good for one try.
type Flow struct {
	Provider  string    `json:"provider"`
	State     string    `json:"state"`
	Verifier  string    `json:"verifier"`
	Nonce     string    `json:"nonce"`
	Locale    string    `json:"locale"`
	ReturnTo  string    `json:"return_to"` // the caller's own; not looked at here
	Purpose   Purpose   `json:"purpose,omitempty"`
	Session   string    `json:"session,omitempty"` // names the session that began it, where it has a purpose
	Join      *Join     `json:"join,omitempty"`    // an identity that was held back
	StartedAt time.Time `json:"started_at"`
}

// Seal is the flow as it travels in a cookie.
func (s *Service) Seal(flow Flow) (string, error) {
	plain, err := json.Marshal(flow)
	if err != nil {
		return "", fmt.Errorf("seal a sign-in: %w", err)
	}
	return s.secrets.Seal(flowPurpose, plain), nil
}

// OpenFlow returns a flow that was sealed here and has not run out.
func (s *Service) OpenFlow(sealed string) (flow Flow, ok bool) {
	plain, ok := s.secrets.Open(flowPurpose, sealed)
	if !ok || json.Unmarshal(plain, &flow) != nil {
		return Flow{}, false
	}
	return flow, s.now().Sub(flow.StartedAt) <= FlowLife
}

// Claim takes the one try of a flow. It reports false when the try was taken before: by a reload, the back button or a
// second request of the same browser.
func (s *Service) Claim(ctx context.Context, flow Flow) (first bool, err error) {
	hash := sha256.Sum256([]byte(flow.State))
	done := s.db.WithContext(ctx).Exec(`INSERT INTO used_flows (state_hash, expires_at) SELECT ?::bytea, ?::timestamptz ON CONFLICT DO NOTHING`,
		hash[:], flow.StartedAt.Add(FlowLife))
	if done.Error != nil {
		return false, fmt.Errorf("claim a sign-in: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

// SignIn is a sign-in that succeeded: the user, and the identity that opened their account.
type SignIn struct {
	models.User
	Issuer, Subject string
	Proof           bool // the provider has just made sure that the person is present
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

// Complete ends a sign-in with what the provider sent back, and returns the user: found, linked or new.
//
// Locks: the identity and its e-mail address, then the users concerned.
// Errors: fault.Malformed with fault.SignInExpired or fault.SignInFailed; the log has the details. fault.Unavailable
// when the provider cannot even be looked up.
func (s *Service) Complete(ctx context.Context, flow Flow, query url.Values) (SignIn, error) {
	config, who, err := s.identify(ctx, flow, query)
	if err != nil {
		return SignIn{}, err
	}
	user, err := s.signIn(ctx, config, who, flow.Locale)
	return SignIn{User: user, Issuer: config.KnownAs(), Subject: who.Subject, Proof: who.Present}, err
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
	said, err := completeSafely(ctx, p, flow, code)
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
	if age := s.now().Sub(flow.StartedAt); age > FlowLife {
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
