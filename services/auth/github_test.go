package auth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
)

// fakeGitHub is a GitHub with one user and these addresses.
func fakeGitHub(t *testing.T, user map[string]any, emails any) ProviderConfig {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/oauth/access_token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("code") != "c" || r.FormValue("code_verifier") != "" {
			http.Error(w, "error=bad_verification_code", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
		_, _ = w.Write([]byte("access_token=gho&token_type=bearer&scope=user%3Aemail"))
	})
	answer := func(path string, body any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if body == nil || r.Header.Get("Authorization") != "Bearer gho" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			if err := json.NewEncoder(w).Encode(body); err != nil {
				t.Errorf("fake GitHub: %v", err)
			}
		})
	}
	answer("/api/user", user)
	answer("/api/user/emails", emails)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := GitHub("id", "secret")
	config.Issuer, config.API = server.URL, server.URL+"/api/"
	return config
}

func signInWithGitHub(t *testing.T, f fixture) (SignIn, error) {
	t.Helper()
	address, flow, err := f.Begin(t.Context(), "github", "en", "")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("state") != flow.State || q.Get("scope") != "user:email" || q.Has("code_challenge") ||
		q.Has("nonce") {
		t.Errorf("got authorization address %s", address)
	}
	return f.Complete(t.Context(), flow, url.Values{"state": {flow.State}, "code": {"c"}})
}

type githubEmail struct {
	Email    string `json:"email"`
	Primary  bool   `json:"primary"`
	Verified bool   `json:"verified"`
}

func TestGitHubSignIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user  map[string]any
		mails []githubEmail
		want  string
	}{
		"uses the verified primary address, not the public one": {
			map[string]any{"id": 7, "login": "ada", "name": "Ada", "email": "public@example.com"},
			[]githubEmail{{"old@example.com", false, true}, {"Ada@example.com", true, true}}, ada,
		},
		"uses no unverified address": {
			map[string]any{"id": 7, "login": "Ada"}, []githubEmail{{ada, true, false}, {"second@example.com", false, true}}, "",
		},
		"works without addresses": {map[string]any{"id": 7, "login": "Ada", "email": ada}, []githubEmail{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, fakeGitHub(t, c.user, c.mails))
			user, err := signInWithGitHub(t, f)
			if err != nil || user.Email != c.want || user.Name != "Ada" {
				t.Fatalf("got user %+v, %v, want address %q", user, err, c.want)
			}
			ids, err := f.Identities(t.Context(), user.ID)
			if err != nil || len(ids) != 1 || ids[0].Subject != "7" || ids[0].EmailVerified != (c.want != "") {
				t.Errorf("got identities %+v, %v, want one, verified %v", ids, err, c.want != "")
			}
		})
	}
}

func TestInvalidAnswersOfGitHubAreRefused(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]ProviderConfig{
		"a user without id":             fakeGitHub(t, map[string]any{"login": "ada", "email": ada}, []githubEmail{}),
		"no user":                       fakeGitHub(t, nil, []githubEmail{}),
		"forbidden addresses":           fakeGitHub(t, map[string]any{"id": 7, "email": ada}, nil),
		"addresses that are not a list": fakeGitHub(t, map[string]any{"id": 7, "email": ada}, "none"),
	} {
		f := newFixture(t, config)
		_, err := signInWithGitHub(t, f)
		if !fault.Is(err, fault.Malformed) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
		if strings.Contains(f.log.String(), ada) {
			t.Errorf("%s: got the address in the log: %s", name, f.log)
		}
	}
}
