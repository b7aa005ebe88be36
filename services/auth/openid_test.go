package auth

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

func TestInvalidIDTokensAreRefused(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	f := newFixture(t, fake.config())
	for name, c := range map[string]struct {
		key    int
		claims map[string]any // replace the valid ones
		tamper func(token string) string
	}{
		"signed by another key": {key: 1},
		"without a nonce":       {claims: map[string]any{"nonce": ""}},
		"with another nonce":    {claims: map[string]any{"nonce": "another"}},
		"for another client":    {claims: map[string]any{"aud": "another"}},
		"by another issuer":     {claims: map[string]any{"iss": "https://evil.example"}},
		"for two clients, authorized for the other": {claims: map[string]any{"aud": []string{"credits", "another"},
			"azp": "another"}},
		"for two clients, authorized for none": {claims: map[string]any{"aud": []string{"credits", "another"}}},
		"authorized for another client":        {claims: map[string]any{"azp": "another"}},
		"whose expiry is a text":               {claims: map[string]any{"exp": "2030-01-01"}},
		"expired":                              {claims: map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}},
		"of another access token":              {claims: map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
		"without a subject":                    {claims: map[string]any{"sub": ""}},
		"that is empty":                        {tamper: func(string) string { return "" }},
		"that is not a token":                  {tamper: func(string) string { return "a.b.c" }},
		"with another payload":                 {tamper: swapPayload},
		"without its signature": {tamper: func(
			token string) string {
			return token[:strings.LastIndex(token, ".")+1]
		}},
		"with alg none":           {tamper: unsigned},
		"with a longer signature": {tamper: func(token string) string { return token + "A" }},
	} {
		_, flow := f.begin(t)
		claims := fake.claims(flow)
		maps.Copy(claims, c.claims)
		fake.answer(t, c.key, claims)
		if c.tamper != nil {
			fake.tamper(c.tamper)
		}
		_, err := f.complete(t, flow)
		if got := fault.Of(err); got == nil || got.Problem != fault.SignInFailed {
			t.Errorf("ID token %s: got %v, want %s", name, err, fault.SignInFailed)
		}
	}
	if n := f.count(t, "SELECT count(*) FROM users"); n != 0 {
		t.Errorf("got %d users, want 0", n)
	}
	_, flow := f.begin(t)
	valid := fake.claims(flow)
	valid["aud"], valid["azp"] = []string{"another", "credits"}, "credits"
	fake.answer(t, 0, valid)
	if user, err := f.complete(t, flow); err != nil || user.Email != ada {
		t.Errorf("valid token: got user %+v, %v", user, err)
	}
	if fake.asked.Get("code_verifier") != flow.Verifier {
		t.Errorf("got code_verifier %q, want %q", fake.asked.Get("code_verifier"), flow.Verifier)
	}
}

// swapPayload replaces the claims and keeps the signature.
func swapPayload(token string) string {
	parts := strings.Split(token, ".")
	return parts[0] + ".e30." + parts[2]
}

// unsigned removes the signature and sets alg to none.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return "eyJhbGciOiJub25lIn0." + parts[1] + "."
}

func TestUserinfoCountsForTheTokensSubjectAndAddressOnly(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	f := newFixture(t, fake.config())
	for name, c := range map[string]struct {
		info map[string]any
		want string // the verified address; "refused" for a refused sign-in
	}{
		"another subject": {map[string]any{"sub": "s-2"}, "refused"},
		"no subject":      {map[string]any{}, "refused"},
		"another address": {map[string]any{"sub": "s-1", "email": "admin@example.com"}, ""},
		"another address, verified there": {map[string]any{"sub": "s-1", "email": "admin@example.com",
			"email_verified": true}, ""},
		"the same address":         {map[string]any{"sub": "s-1", "email": ada}, ada},
		"verified as text":         {map[string]any{"sub": "s-1", "email_verified": "true"}, ada},
		"not verified by userinfo": {map[string]any{"sub": "s-1", "email_verified": false}, ""},
		"verified as a number":     {map[string]any{"sub": "s-1", "email_verified": 1}, ""},
	} {
		_, flow := f.begin(t)
		fake.answer(t, 0, fake.claims(flow))
		fake.mu.Lock()
		fake.userInfo = c.info
		fake.mu.Unlock()
		user, err := f.complete(t, flow)
		if c.want == "refused" {
			if !fault.Is(err, fault.Malformed) {
				t.Errorf("%s: got %v, want a refusal", name, err)
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
			t.Errorf("%s: got address %q, verified %v, want %q", name, got[0].Email, got[0].EmailVerified, c.want)
		}
	}
	if strings.Contains(f.log.String(), "@example.com") {
		t.Errorf("got a personal or secret value in the log: %s", f.log)
	}
}

func TestProviderWithoutPKCEAndNonce(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	config := LinkedIn("credits", "secret")
	// tokens name another issuer, as LinkedIn's did
	config.Issuer, config.DiscoveryURL = "https://issuer.example", fake.URL
	f := newFixture(t, config)
	address, flow, err := f.Begin(t.Context(), "linkedin", "en", "")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(address, "nonce") || strings.Contains(address, "code_challenge") {
		t.Errorf("got address %s, want neither nonce nor PKCE", address)
	}
	claims := fake.claims(flow)
	claims["iss"] = "https://issuer.example"
	delete(claims, "nonce")
	fake.answer(t, 0, claims)
	user, err := f.complete(t, flow)
	if err != nil {
		t.Fatal(err)
	}
	if fake.asked.Has("code_verifier") {
		t.Error("got a code_verifier, want none")
	}
	if ids, err := f.Identities(t.Context(), user.ID); err != nil || len(ids) != 1 ||
		ids[0].Issuer != "https://issuer.example" || ids[0].Provider != "linkedin" {
		t.Errorf("got identities %+v, %v, want one of the tokens' issuer", ids, err)
	}
}

func TestFailedCodeExchangeIsRefused(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	f := newFixture(t, fake.config())
	_, flow := f.begin(t)
	fake.down.Store(true)
	_, err := f.complete(t, flow)
	wantProblem(t, err, fault.SignInFailed)
	fake.Close()
	_, err = f.complete(t, flow)
	wantProblem(t, err, fault.SignInFailed)
	if strings.Contains(f.log.String(), "at=") {
		t.Errorf("got a personal or secret value in the log: %s", f.log)
	}
}

func TestAnswersThatPanicGothAreRefused(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	f := newFixture(t, fake.config())
	for name, spoil := range map[string]func(){
		"an ID token that is a number": func() { fake.idToken = 7 }, // goth panics
		"userinfo without an end":      func() { fake.userInfo["name"] = strings.Repeat("x", maxAnswerBytes) },
		"userinfo that is null":        func() { fake.userInfo = nil },
	} {
		_, flow := f.begin(t)
		fake.answer(t, 0, fake.claims(flow))
		fake.mu.Lock()
		spoil()
		fake.mu.Unlock()
		_, err := f.complete(t, flow)
		if got := fault.Of(err); got == nil || got.Problem != fault.SignInFailed {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}

func TestAnswersAreCutAtTheLimit(t *testing.T) {
	t.Parallel()
	long := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 2*maxAnswerBytes))
	}))
	t.Cleanup(long.Close)
	answer, err := limitedClient(nil).Get(long.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if text, err := io.ReadAll(answer.Body); err != nil || len(text) != maxAnswerBytes {
		t.Errorf("got %d bytes, %v, want %d", len(text), err, maxAnswerBytes)
	}
}

func TestReauthenticationNeedsAFreshAuthTime(t *testing.T) {
	t.Parallel()
	withoutMaxAge := func(config ProviderConfig) ProviderConfig { config.MaxAge = false; return config }
	for name, c := range map[string]struct {
		supports []string
		ago      time.Duration // of auth_time; -1 for none
		config   func(ProviderConfig) ProviderConfig
		want     bool
	}{
		"auth_time 10 seconds ago":               {[]string{"auth_time"}, 10 * time.Second, nil, true},
		"auth_time a minute ago":                 {[]string{"auth_time"}, time.Minute, nil, true},
		"auth_time 61 seconds ago":               {[]string{"auth_time"}, 61 * time.Second, nil, false},
		"auth_time a minute in the future":       {[]string{"auth_time"}, -time.Minute, nil, true}, // clocks differ
		"auth_time 61 seconds in the future":     {[]string{"auth_time"}, -61 * time.Second, nil, false},
		"auth_time 2 minutes ago":                {[]string{"auth_time"}, 2 * time.Minute, nil, false},
		"auth_time in the future":                {[]string{"auth_time"}, -time.Hour, nil, false},
		"auth_time listed and missing":           {[]string{"auth_time"}, -1, nil, false},
		"auth_time neither listed nor sent":      {[]string{"sub"}, -1, nil, true},
		"auth_time 2 minutes ago and not listed": {nil, 2 * time.Minute, nil, false},
		"no max_age, auth_time an hour ago":      {nil, time.Hour, withoutMaxAge, true},
		"no max_age, no auth_time":               {nil, -1, withoutMaxAge, true},
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
			f.clock.now = f.clock.now.Truncate(time.Second) // as auth_time
			var user models.User
			for _, kind := range []FlowKind{"", KindReauthenticate} {
				address, flow, err := f.Begin(t.Context(), "oidc", "en", kind)
				if err != nil {
					t.Fatal(err)
				}
				if asked := strings.Contains(address, "max_age=0"); asked != (kind != "" && config.MaxAge) {
					t.Errorf("kind %q: got max_age sent %v", kind, asked)
				}
				claims := fake.claims(flow)
				if c.ago != -1 {
					claims["auth_time"] = f.clock.Now().Add(-c.ago).Unix()
				}
				fake.answer(t, 0, claims)
				if kind == "" {
					in, err := f.complete(t, flow)
					if err != nil || in.Reauthenticated != c.want {
						t.Errorf("sign-in: got reauthenticated %v, %v, want %v", in.Reauthenticated, err, c.want)
					}
					user = in.User
					continue
				}
				err = f.Reauthenticate(t.Context(), user.ID, flow, url.Values{"state": {flow.State}, "code": {"c"}})
				if got := fault.Of(err); (err == nil) != c.want || !c.want && (got == nil || got.Problem != fault.NotPresent) {
					t.Errorf("reauthentication: got %v, want success %v", err, c.want)
				}
			}
		})
	}
}
