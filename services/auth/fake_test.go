package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Making an RSA key takes long; the tests share two.
var signingKeys = sync.OnceValues(func() ([2]*rsa.PrivateKey, error) {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return keys, err
		}
		keys[i] = key
	}
	return keys, nil
})

// fakeProvider is an OpenID provider that can be told to lie.
type fakeProvider struct {
	*httptest.Server
	down     atomic.Bool
	mu       sync.Mutex
	supports []string       // claims that discovery lists
	idToken  any            // what the token endpoint gives
	userInfo map[string]any // what userinfo gives
	asked    url.Values     // what the token endpoint was asked
}

func newFakeProvider(t *testing.T) *fakeProvider {
	t.Helper()
	keys, err := signingKeys()
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeProvider{}
	mux := http.NewServeMux()
	answer := func(path string, body func(r *http.Request) any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if f.down.Load() {
				http.Error(w, "down", http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(body(r)); err != nil {
				t.Errorf("fake provider: %v", err)
			}
		})
	}
	answer("/.well-known/openid-configuration", func(*http.Request) any {
		return map[string]any{
			"issuer": f.URL, "authorization_endpoint": f.URL + "/authorize", "token_endpoint": f.URL + "/token",
			"jwks_uri": f.URL + "/keys", "userinfo_endpoint": f.URL + "/userinfo",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "claims_supported": f.supports,
		}
	})
	answer("/keys", func(*http.Request) any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &keys[0].PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}}
	})
	answer("/token", func(r *http.Request) any {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := r.ParseForm(); err != nil {
			t.Errorf("fake provider: %v", err)
		}
		f.asked = r.PostForm
		return map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": f.idToken}
	})
	answer("/userinfo", func(*http.Request) any {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.userInfo
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeProvider) config() ProviderConfig { return OpenID("Fake", f.URL, "credits", "secret") }

// claims of an honest ID token for this flow.
func (f *fakeProvider) claims(flow Flow) map[string]any {
	return map[string]any{
		"iss": f.URL, "aud": "credits", "sub": "s-1", "nonce": flow.Nonce, "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix(), "email": ada, "email_verified": true, "name": "Ada",
	}
}

// says prepares the provider's answer: these claims, signed with one of the keys, and the same subject in userinfo.
func (f *fakeProvider) says(t *testing.T, key int, claims map[string]any) {
	t.Helper()
	keys, err := signingKeys()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: keys[key], KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idToken, f.userInfo = token, map[string]any{"sub": claims["sub"]}
}

func (f *fakeProvider) tamper(change func(token string) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token, _ := f.idToken.(string)
	f.idToken = change(token)
}

// end completes a flow with the fake's answer.
func (f fixture) end(t *testing.T, flow Flow) (SignIn, error) {
	t.Helper()
	return f.Complete(t.Context(), flow, url.Values{"state": {flow.State}, "code": {"c"}})
}

func TestIDTokenIsChecked(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	f := newFixture(t, fake.config())
	for name, c := range map[string]struct {
		key    int
		claims map[string]any // laid over the honest ones
		tamper func(token string) string
	}{
		"signed by another key":      {key: 1},
		"without a nonce":            {claims: map[string]any{"nonce": ""}},
		"with another nonce":         {claims: map[string]any{"nonce": "another"}},
		"for another client":         {claims: map[string]any{"aud": "another"}},
		"by another issuer":          {claims: map[string]any{"iss": "https://evil.example"}},
		"for several, of another":    {claims: map[string]any{"aud": []string{"credits", "another"}, "azp": "another"}},
		"for several, of nobody":     {claims: map[string]any{"aud": []string{"credits", "another"}}},
		"that another asked for":     {claims: map[string]any{"azp": "another"}},
		"whose expiry is a text":     {claims: map[string]any{"exp": "2030-01-01"}},
		"expired":                    {claims: map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}},
		"of another access token":    {claims: map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
		"without a subject":          {claims: map[string]any{"sub": ""}},
		"that is missing":            {tamper: func(string) string { return "" }},
		"that is no token":           {tamper: func(string) string { return "a.b.c" }},
		"with another payload":       {tamper: swapPayload},
		"without its signature":      {tamper: func(token string) string { return token[:strings.LastIndex(token, ".")+1] }},
		"that says it is not signed": {tamper: unsigned},
		"with a longer signature":    {tamper: func(token string) string { return token + "A" }},
	} {
		_, flow := f.begin(t)
		claims := fake.claims(flow)
		for key, value := range c.claims {
			claims[key] = value
		}
		fake.says(t, c.key, claims)
		if c.tamper != nil {
			fake.tamper(c.tamper)
		}
		_, err := f.end(t, flow)
		if told := fault.Of(err); told == nil || told.Problem != fault.SignInFailed {
			t.Errorf("an ID token %s: %v, want a refusal", name, err)
		}
	}
	if n := f.count(t, "SELECT count(*) FROM users"); n != 0 {
		t.Errorf("%d users, want none", n)
	}
	_, flow := f.begin(t)
	honest := fake.claims(flow)
	honest["aud"], honest["azp"] = []string{"another", "credits"}, "credits"
	fake.says(t, 0, honest)
	if user, err := f.end(t, flow); err != nil || user.Email != ada {
		t.Errorf("an honest token: %+v, %v", user, err)
	}
	if fake.asked.Get("code_verifier") != flow.Verifier {
		t.Errorf("the provider got the verifier %q", fake.asked.Get("code_verifier"))
	}
}

// swapPayload puts other claims, none, under the same signature.
func swapPayload(token string) string {
	parts := strings.Split(token, ".")
	return parts[0] + ".e30." + parts[2]
}

// unsigned is the oldest trick: alg none.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return "eyJhbGciOiJub25lIn0." + parts[1] + "."
}

func TestUserinfoCannotSpeakForAnother(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	f := newFixture(t, fake.config())
	for name, c := range map[string]struct {
		info map[string]any
		want string // the address that counts as verified; "refused"
	}{
		"another subject":                 {map[string]any{"sub": "s-2"}, "refused"},
		"no subject":                      {map[string]any{}, "refused"},
		"another address":                 {map[string]any{"sub": "s-1", "email": "admin@example.com"}, ""},
		"another address, verified there": {map[string]any{"sub": "s-1", "email": "admin@example.com", "email_verified": true}, ""},
		"the same address":                {map[string]any{"sub": "s-1", "email": ada}, ada},
		"verified as text":                {map[string]any{"sub": "s-1", "email_verified": "true"}, ada},
		"not verified after all":          {map[string]any{"sub": "s-1", "email_verified": false}, ""},
		"verified as a number":            {map[string]any{"sub": "s-1", "email_verified": 1}, ""},
	} {
		_, flow := f.begin(t)
		fake.says(t, 0, fake.claims(flow))
		fake.mu.Lock()
		fake.userInfo = c.info
		fake.mu.Unlock()
		user, err := f.end(t, flow)
		if c.want == "refused" {
			if !fault.Is(err, fault.Malformed) {
				t.Errorf("%s: %v, want a refusal", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := f.Identities(t.Context(), user.ID)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: identities %v, %v", name, got, err)
		}
		if got[0].EmailVerified != (c.want != "") || (c.want != "" && got[0].Email != c.want) {
			t.Errorf("%s: address %q, verified %v, want %q", name, got[0].Email, got[0].EmailVerified, c.want)
		}
	}
	if strings.Contains(f.log.String(), "@example.com") {
		t.Errorf("log = %s", f.log)
	}
}

func TestProviderWithoutPKCEAndNonce(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	config := LinkedIn("credits", "secret")
	config.Issuer, config.DiscoveryURL = "https://issuer.example", fake.URL // as LinkedIn did: tokens name another issuer
	f := newFixture(t, config)
	address, flow, err := f.Begin(t.Context(), "linkedin", "en", "")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(address, "nonce") || strings.Contains(address, "code_challenge") {
		t.Errorf("address = %s: neither nonce nor PKCE wanted", address)
	}
	claims := fake.claims(flow)
	claims["iss"] = "https://issuer.example"
	delete(claims, "nonce")
	fake.says(t, 0, claims)
	user, err := f.end(t, flow)
	if err != nil {
		t.Fatal(err)
	}
	if fake.asked.Has("code_verifier") {
		t.Error("a verifier was sent")
	}
	if ids, err := f.Identities(t.Context(), user.ID); err != nil || len(ids) != 1 || ids[0].Issuer != "https://issuer.example" || ids[0].Provider != "linkedin" {
		t.Errorf("identities = %+v, %v", ids, err)
	}
}

func TestProviderThatFailsTheExchange(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	f := newFixture(t, fake.config())
	_, flow := f.begin(t)
	fake.down.Store(true)
	_, err := f.end(t, flow)
	wantProblem(t, err, fault.SignInFailed)
	fake.Close()
	_, err = f.end(t, flow)
	wantProblem(t, err, fault.SignInFailed)
	if strings.Contains(f.log.String(), "at=") {
		t.Errorf("log = %s", f.log)
	}
}

func TestAnswersThatBreakALibraryAreRefused(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	f := newFixture(t, fake.config())
	for name, spoil := range map[string]func(){
		"an ID token that is a number": func() { fake.idToken = 7 }, // goth panics
		"userinfo without an end":      func() { fake.userInfo["name"] = strings.Repeat("x", maxAnswerBytes) },
		"userinfo that is nothing":     func() { fake.userInfo = nil },
	} {
		_, flow := f.begin(t)
		fake.says(t, 0, fake.claims(flow))
		fake.mu.Lock()
		spoil()
		fake.mu.Unlock()
		_, err := f.end(t, flow)
		if told := fault.Of(err); told == nil || told.Problem != fault.SignInFailed {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func TestBoundedAnswers(t *testing.T) {
	t.Parallel()
	long := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 2*maxAnswerBytes))
	}))
	t.Cleanup(long.Close)
	answer, err := boundedClient(nil).Get(long.URL) //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if text, err := io.ReadAll(answer.Body); err != nil || len(text) != maxAnswerBytes {
		t.Errorf("read %d bytes, %v, want %d", len(text), err, maxAnswerBytes)
	}
}

func TestProofOfPresence(t *testing.T) {
	t.Parallel()
	long := func(config ProviderConfig) ProviderConfig { config.MaxAge = false; return config }
	for name, c := range map[string]struct {
		supports []string
		ago      time.Duration // of auth_time; -1 for none
		config   func(ProviderConfig) ProviderConfig
		want     bool
	}{
		"signed in just now":                             {[]string{"auth_time"}, 10 * time.Second, nil, true},
		"signed in two minutes ago":                      {[]string{"auth_time"}, 2 * time.Minute, nil, false},
		"signed in in the future":                        {[]string{"auth_time"}, -time.Hour, nil, false},
		"does not say when, and says that it does":       {[]string{"auth_time"}, -1, nil, false},
		"does not say when, as it says":                  {[]string{"sub"}, -1, nil, true},
		"says when though it does not list it":           {nil, 2 * time.Minute, nil, false},
		"never asks again, whatever its tokens tell":     {nil, time.Hour, long, true},
		"never asks again, and does not say when either": {nil, -1, long, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFakeProvider(t)
			fake.supports = c.supports
			config := fake.config()
			if c.config != nil {
				config = c.config(config)
			}
			f := newFixture(t, config)
			var user models.User
			for _, purpose := range []Purpose{"", Confirming} {
				address, flow, err := f.Begin(t.Context(), "oidc", "en", purpose)
				if err != nil {
					t.Fatal(err)
				}
				if asked := strings.Contains(address, "max_age=0"); asked != (purpose != "" && config.MaxAge) {
					t.Errorf("purpose %q: max_age is sent: %v", purpose, asked)
				}
				claims := fake.claims(flow)
				if c.ago != -1 {
					claims["auth_time"] = f.clock.Now().Add(-c.ago).Unix()
				}
				fake.says(t, 0, claims)
				if purpose == "" {
					in, err := f.end(t, flow)
					if err != nil || in.Proof != c.want {
						t.Errorf("a sign-in is a proof: %v, %v, want %v", in.Proof, err, c.want)
					}
					user = in.User
					continue
				}
				err = f.Confirm(t.Context(), user.ID, flow, url.Values{"state": {flow.State}, "code": {"c"}})
				if told := fault.Of(err); (err == nil) != c.want || !c.want && (told == nil || told.Problem != fault.NotPresent) {
					t.Errorf("confirming: %v, want that it counts: %v", err, c.want)
				}
			}
		})
	}
}
