package auth

import (
	"maps"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/seal"
)

func TestSignInWithTheStandIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, standIn(t))
	address, flow := f.begin(t)
	sent, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := sent.Query()
	if query.Get("state") != flow.State || query.Get("nonce") != flow.Nonce ||
		query.Get("code_challenge_method") != "S256" ||
		query.Get("code_challenge") == "" || query.Get("ui_locales") != "de" ||
		query.Get("scope") != "openid profile email" ||
		query.Get("redirect_uri") != appURL+"/auth/oidc/callback" || strings.Contains(address, flow.Verifier) {
		t.Errorf("got authorization address %s", address)
	}
	user, err := f.Complete(t.Context(), flow, choose(t, address, "demo-user", nil))
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	if user.Email != "demo@example.com" || user.Name != "Demo User" || user.Locale != "de" {
		t.Errorf("got user %+v", user)
	}
	address, flow = f.begin(t)
	if again, err := f.Complete(t.Context(), flow, choose(t, address, "demo-user", nil)); err != nil ||
		again.ID != user.ID {
		t.Errorf("second sign-in: got user %d, %v, want %d", again.ID, err, user.ID)
	}
	address, flow = f.begin(t)
	admin, err := f.Complete(t.Context(), flow, choose(t, address, "demo-admin", nil))
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	if account, err := f.Account(t.Context(), admin.ID); err != nil || !account.Admin || admin.ID == user.ID {
		t.Errorf("demo admin: got %+v, %v, want an admin", account, err)
	}
	if text := f.log.String(); strings.Contains(text, "@example.com") || strings.Contains(text, "Demo") {
		t.Errorf("got a personal or secret value in the log: %s", text)
	}
}

func TestUnverifiedAdminAddressMakesAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t, standIn(t))
	owner := f.signInAs(t, verified("owner", "admin@example.com"))
	address, flow := f.begin(t)
	user, err := f.Complete(t.Context(), flow, choose(t, address, "custom-user", url.Values{
		"name": {"Eve"}, "email": {"admin@example.com"}, "subject": {"eve"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if account, err := f.Account(t.Context(), user.ID); err != nil || account.Admin || account.ID == owner.ID ||
		account.Email != "" {
		t.Errorf("got account %+v, %v, want a new one without rights", account, err)
	}
}

func TestForgedCallbacksAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, standIn(t))
	address, flow := f.begin(t)
	good := choose(t, address, "demo-user", nil)
	_, other := f.begin(t)
	with := func(name string, values ...string) url.Values {
		changed := url.Values{}
		maps.Copy(changed, good)
		changed[name] = values
		return changed
	}
	for name, c := range map[string]struct {
		flow  Flow
		query url.Values
	}{
		"no state":               {flow, with("state")},
		"another state":          {flow, with("state", other.State)},
		"a longer state":         {flow, with("state", flow.State+"x")},
		"two states":             {flow, with("state", flow.State, flow.State)},
		"another browser's flow": {other, good},
		"an empty flow":          {Flow{Provider: "oidc", StartedAt: f.clock.Now()}, with("state", "")},
		"no flow at all":         {Flow{}, good},
		"an unknown provider":    {Flow{Provider: "google", State: flow.State, StartedAt: flow.StartedAt}, good},
		"no code":                {flow, with("code")},
		"two codes":              {flow, with("code", good.Get("code"), "x")},
		"an invalid code":        {flow, with("code", "x")},
		"a code of 1 MB":         {flow, with("code", strings.Repeat("x", 1<<20))},
		"another issuer":         {flow, with("iss", "https://evil.example")},
		"an error":               {flow, with("error", "access_denied")},
		"an error with markup":   {flow, with("error", "<script>ada@example.com")},
	} {
		_, err := f.Complete(t.Context(), c.flow, c.query)
		if got := fault.Of(err); got == nil || got.Code != fault.Malformed || got.Problem != fault.SignInFailed {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	if text := f.log.String(); strings.Contains(text, "ada@example.com") || strings.Contains(text, flow.State) {
		t.Errorf("got a personal or secret value in the log: %s", text)
	}
	if n := f.count(t, "SELECT count(*) FROM users"); n != 0 {
		t.Errorf("got %d users, want 0", n)
	}
	if _, err := f.Complete(t.Context(), flow, good); err != nil {
		t.Errorf("valid callback: got %v, want success", err)
	}
	_, err := f.Complete(t.Context(), flow, good)
	wantProblem(t, err, fault.SignInFailed) // the code is used
}

func TestWrongVerifierIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, standIn(t))
	address, flow := f.begin(t)
	query := choose(t, address, "demo-user", nil)
	flow.Verifier = strings.Repeat("v", 43)
	_, err := f.Complete(t.Context(), flow, query)
	wantProblem(t, err, fault.SignInFailed)
}

func TestCancelledSignInIsLogged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, standIn(t))
	address, flow := f.begin(t)
	_, err := f.Complete(t.Context(), flow, choose(t, address, "cancel", nil))
	wantProblem(t, err, fault.SignInFailed)
	if !strings.Contains(f.log.String(), "access_denied") {
		t.Errorf("got log %s, want access_denied in it", f.log)
	}
}

func TestSignInExpiresAfterTenMinutes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, standIn(t))
	address, flow := f.begin(t)
	query := choose(t, address, "demo-user", nil)
	f.clock.Add(FlowLife + time.Second)
	_, err := f.Complete(t.Context(), flow, query)
	wantProblem(t, err, fault.SignInExpired)
}

func TestBeginRefusesUnknownAndUnreachableProviders(t *testing.T) {
	t.Parallel()
	unreachable := OpenID("Nowhere", "http://127.0.0.1:1/", "id", "secret")
	f := newFixture(t, unreachable)
	for _, name := range []string{"", "google", "OIDC", "oidc/../x"} {
		if _, _, err := f.Begin(t.Context(), name, "de", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: got %v, want not found", name, err)
		}
	}
	if _, _, err := f.Begin(t.Context(), "oidc", "de", ""); !fault.Is(err, fault.Unavailable) {
		t.Errorf("unreachable provider: got %v, want unavailable", err)
	}
}

func TestBeginRetriesDiscovery(t *testing.T) {
	t.Parallel()
	fake := newFakeProvider(t)
	fake.down.Store(true)
	f := newFixture(t, fake.config())
	if _, _, err := f.Begin(t.Context(), "oidc", "de", ""); !fault.Is(err, fault.Unavailable) {
		t.Errorf("down: got %v, want unavailable", err)
	}
	fake.down.Store(false)
	if _, _, err := f.Begin(t.Context(), "oidc", "de", ""); err != nil {
		t.Errorf("up again: got %v, want success", err)
	}
}

func TestEachFlowHasItsOwnSecrets(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newFakeProvider(t).config())
	seen := map[string]bool{}
	for range 50 {
		address, flow := f.begin(t)
		for _, text := range []string{address, flow.State, flow.Nonce, flow.Verifier} {
			if seen[text] || len(text) < 43 {
				t.Fatalf("got %q, want a new value of at least 43 bytes", text)
			}
			seen[text] = true
		}
		if strings.Count(address, "code_challenge=") != 1 {
			t.Fatalf("got address %s, want the parameters of one flow", address)
		}
	}
}

func TestFlowIsSealed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newFakeProvider(t).config())
	_, flow := f.begin(t)
	flow.ReturnTo = "/de/purchase"
	sealed, err := f.Seal(flow)
	if err != nil {
		t.Fatal(err)
	}
	back, ok := f.OpenFlow(sealed)
	if diff := cmp.Diff(flow, back); diff != "" || !ok {
		t.Errorf("opened flow: got ok %v, difference (-want +got):\n%s", ok, diff)
	}
	for _, secret := range []string{flow.State, flow.Verifier, flow.Nonce, "purchase"} {
		if strings.Contains(sealed, secret) {
			t.Errorf("got %q in the cookie, want it encrypted", secret)
		}
	}
	foreign := Service{secrets: seal.Secrets{otherSecret}, now: f.clock.Now}
	forged, err := foreign.Seal(flow)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"nothing": "", "cut": sealed[1:], "forged": forged} {
		if _, ok := f.OpenFlow(text); ok {
			t.Errorf("%s: got a flow, want none", name)
		}
	}
	f.clock.Add(FlowLife + time.Second)
	if _, ok := f.OpenFlow(sealed); ok {
		t.Error("expired: got a flow, want none")
	}
}

func TestFlowIsUsedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newFakeProvider(t).config())
	_, one := f.begin(t)
	_, two := f.begin(t)
	if n := f.count(t, "SELECT count(*) FROM used_flows"); n != 0 {
		t.Errorf("before the callback: got %d rows, want 0", n)
	}
	var first atomic.Int64
	dbtest.Concurrently(20, func(int) {
		ok, err := f.UseFlow(t.Context(), one)
		if err != nil {
			t.Errorf("use flow: %v", err)
		}
		if ok {
			first.Add(1)
		}
	})
	if first.Load() != 1 {
		t.Errorf("got %d requests that used the flow first, want 1", first.Load())
	}
	if ok, err := f.UseFlow(t.Context(), two); err != nil || !ok {
		t.Errorf("flow of another tab: got %v, %v, want true", ok, err)
	}
}
