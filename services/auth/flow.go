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
	sealPurpose  = "sign-in flow"
)

// Flow is one round trip to a provider. It travels sealed in the cookie of the browser that began it, and UseFlow
// accepts it once.
type Flow struct {
	Provider  string           `json:"provider"`
	State     string           `json:"state"`
	Verifier  string           `json:"verifier"`
	Nonce     string           `json:"nonce"`
	Locale    string           `json:"locale"`
	ReturnTo  string           `json:"return_to"` // for the caller
	Kind      FlowKind         `json:"purpose,omitempty"`
	Session   string           `json:"session,omitempty"` // token of the session that began it; set with Kind
	Pending   *PendingIdentity `json:"join,omitempty"`    // linked after this sign-in
	StartedAt time.Time        `json:"started_at"`
}

// Seal encrypts a flow for its cookie.
func (s *Service) Seal(flow Flow) (string, error) {
	plain, err := json.Marshal(flow)
	if err != nil {
		return "", fmt.Errorf("seal a sign-in: %w", err)
	}
	return s.secrets.Seal(sealPurpose, plain), nil
}

// OpenFlow decrypts a flow. It reports false for a forged or expired one.
func (s *Service) OpenFlow(sealed string) (flow Flow, ok bool) {
	plain, ok := s.secrets.Open(sealPurpose, sealed)
	if !ok || json.Unmarshal(plain, &flow) != nil {
		return Flow{}, false
	}
	return flow, s.now().Sub(flow.StartedAt) <= FlowLife
}

// UseFlow marks a flow as used. It reports false if it was used before: by a reload, the back button or a concurrent
// request.
func (s *Service) UseFlow(ctx context.Context, flow Flow) (first bool, err error) {
	hash := sha256.Sum256([]byte(flow.State))
	done := s.db.WithContext(ctx).
		Exec(`INSERT INTO used_flows (state_hash, expires_at) SELECT ?::bytea, ?::timestamptz ON CONFLICT DO NOTHING`,
			hash[:], flow.StartedAt.Add(FlowLife))
	if done.Error != nil {
		return false, fmt.Errorf("use a sign-in flow: %w", done.Error)
	}
	return done.RowsAffected == 1, nil
}

// SignIn is a successful sign-in: the user and the identity that they used.
type SignIn struct {
	models.User
	Issuer, Subject string
	Reauthenticated bool // the provider has just authenticated the person anew
}

// Begin starts a flow and returns the provider's address for it. With a kind, the user is signed in already, and the
// provider is asked to let them choose the account.
// Errors: fault.NotFound for a provider that is not configured; fault.Unavailable when it does not answer.
func (s *Service) Begin(ctx context.Context, provider, locale string, kind FlowKind) (string, Flow, error) {
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
		Locale: locale, StartedAt: s.now(), Kind: kind,
	}
	address, err := p.begin(ctx, flow)
	if err != nil {
		return "", Flow{}, err
	}
	return address, flow, nil
}

// Complete ends a sign-in with the query of the provider's callback, and returns the user: a known or a new one.
//
// Locks: the identity and its e-mail address, then the users concerned.
// Errors: fault.Malformed with fault.SignInExpired or fault.SignInFailed; the log has the details. fault.Unavailable
// if the provider's discovery document cannot be read.
func (s *Service) Complete(ctx context.Context, flow Flow, query url.Values) (SignIn, error) {
	config, person, err := s.identify(ctx, flow, query)
	if err != nil {
		return SignIn{}, err
	}
	user, err := s.signIn(ctx, config, person, flow.Locale)
	return SignIn{
		User: user, Issuer: config.StoredIssuer(), Subject: person.Subject, Reauthenticated: person.Reauthenticated,
	}, err
}

// identify checks the callback and returns the profile that the provider vouches for.
func (s *Service) identify(ctx context.Context, flow Flow, query url.Values) (ProviderConfig, profile, error) {
	refused := func(problem fault.Problem, cause error) (ProviderConfig, profile, error) {
		return ProviderConfig{}, profile{}, s.refuse(ctx, flow, problem, cause)
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
	answer, err := completeRecovering(ctx, p, flow, code)
	if fault.Of(err) != nil {
		return ProviderConfig{}, profile{}, err
	}
	if err != nil {
		return refused(fault.SignInFailed, err)
	}
	person, ok := answer.clean()
	if !ok {
		return refused(fault.SignInFailed, &refusal{"subject", "not a valid subject"})
	}
	return p.config(), person, nil
}

// errFlowExpired means that the flow took longer than FlowLife.
var errFlowExpired error = &refusal{"flow", "expired"}

// accept checks the callback against the flow and returns its code.
func (s *Service) accept(config ProviderConfig, flow Flow, query url.Values) (string, error) {
	state := only(query, "state")
	if flow.State == "" || state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(flow.State)) != 1 {
		return "", &refusal{"state", "differs from the flow's"}
	}
	if age := s.now().Sub(flow.StartedAt); age > FlowLife {
		return "", errFlowExpired
	}
	if query.Has("error") {
		return "", &refusal{"provider", errorCode(query.Get("error"))}
	}
	if query.Has("iss") && only(query, "iss") != config.Issuer { // RFC 9207: a mix-up of providers
		return "", &refusal{"issuer", "of another provider"}
	}
	code := only(query, "code")
	if code == "" || len(code) > maxCodeBytes {
		return "", &refusal{"code", "missing or too long"}
	}
	return code, nil
}

// only returns a parameter's value, "" if it appears more than once.
func only(query url.Values, name string) string {
	if values := query[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

var knownErrorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// errorCode returns a provider's error code if it is safe to log.
func errorCode(code string) string {
	if knownErrorCode.MatchString(code) {
		return code
	}
	return "no error code"
}

// refuse logs the cause of a failed sign-in and returns the fault for the user.
func (s *Service) refuse(ctx context.Context, flow Flow, problem fault.Problem, cause error) error {
	step, reason := "internal", "unexpected error"
	if r, ok := errors.AsType[*refusal](cause); ok {
		step, reason = r.step, r.reason
	}
	name := flow.Provider
	if s.provider(name) == nil {
		name = ""
	}
	s.log.WarnContext(ctx, "sign-in refused", "provider", name, "step", step, "reason", reason)
	return fault.Because(fault.Malformed, problem)
}
