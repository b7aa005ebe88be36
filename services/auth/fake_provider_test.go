package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// The tests share two RSA keys, because generating one is slow.
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

// fakeProvider is an OpenID provider whose answers a test can forge.
type fakeProvider struct {
	*httptest.Server
	down     atomic.Bool
	mu       sync.Mutex
	supports []string       // claims that discovery lists
	idToken  any            // the token endpoint's answer
	userInfo map[string]any // userinfo's answer
	asked    url.Values     // the last request to the token endpoint
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
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &keys[0].PublicKey, KeyID: "k", Algorithm: "RS256",
			Use: "sig"}}}
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

// claims returns the claims of a valid ID token for this flow.
func (f *fakeProvider) claims(flow Flow) map[string]any {
	return map[string]any{
		"iss": f.URL, "aud": "credits", "sub": "s-1", "nonce": flow.Nonce, "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix(), "email": ada, "email_verified": true, "name": "Ada",
	}
}

// answer prepares the provider's answer: these claims, signed with one of the keys, and the same subject in userinfo.
func (f *fakeProvider) answer(t *testing.T, key int, claims map[string]any) {
	t.Helper()
	keys, err := signingKeys()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: keys[key], KeyID: "k"}},
		nil)
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

// complete completes a flow with the fake's answer.
func (f fixture) complete(t *testing.T, flow Flow) (SignIn, error) {
	t.Helper()
	return f.Complete(t.Context(), flow, url.Values{"state": {flow.State}, "code": {"c"}})
}
