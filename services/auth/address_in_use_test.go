package auth

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
)

// other is a second provider.
var other = ProviderConfig{Name: "google", Issuer: "https://other.example.com"}

// configured are both providers, as a configuration has them.
var configured = []ProviderConfig{
	OpenID("Demo", "https://id.example.com", "i", "s"),
	{Name: "google", Label: "Google", Issuer: other.Issuer, ClientID: "i", ClientSecret: "s"},
}

// signInBy signs a user in by another provider.
func (f fixture) signInBy(t *testing.T, config ProviderConfig, p profile) (models.User, *AddressInUseError) {
	t.Helper()
	person, ok := p.clean()
	if !ok {
		t.Fatal("invalid subject")
	}
	user, err := f.signIn(t.Context(), config, person, "de")
	var refused *AddressInUseError
	if err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	return user, refused
}

// withGoogle is a fixture with both providers.
func withGoogle(t *testing.T) fixture {
	t.Helper()
	return newFixture(t, configured...)
}

func TestNewIdentityNeverOpensAnAccountByItsAddress(t *testing.T) {
	t.Parallel()
	t.Run("an identity of the same issuer is refused and stored for an admin", func(t *testing.T) {
		t.Parallel()
		f := withGoogle(t)
		owner := f.signInAs(t, verified("subject-of-2023", ada))
		for range 2 {
			_, err := f.trySignIn(t.Context(), verified("subject-of-2026", "ADA@example.com"))
			var refused *AddressInUseError
			if !errors.As(err, &refused) || !refused.Reissued || len(refused.Providers) != 0 ||
				fault.Of(err).Problem != fault.AddressReissued {
				t.Fatalf("reissued address: got %v, want a refusal", err)
			}
		}
		refused, err := f.Refused(t.Context(), owner.ID)
		if err != nil || len(refused) != 1 || refused[0].Subject != "subject-of-2026" || refused[0].Email != ada {
			t.Errorf("got refused identities %+v, %v, want the new one", refused, err)
		}
	})
	t.Run("an identity of another issuer may be linked after a sign-in with the known one", func(t *testing.T) {
		t.Parallel()
		f := withGoogle(t)
		owner := f.signInAs(t, verified("a", ada))
		_, refused := f.signInBy(t, other, verified("g", ada))
		if refused == nil || refused.Reissued || !slices.Equal(refused.Providers, []Choice{{"oidc", "Demo"}}) ||
			fault.Of(refused).Problem != fault.AddressKnown || refused.Pending.UserID != owner.ID {
			t.Fatalf("got %+v, want a refusal that offers oidc", refused)
		}
		if n := f.count(t, "SELECT count(*) FROM refused_identities"); n != 0 {
			t.Errorf("got %d rows for an admin, want 0: the owner can link it", n)
		}
	})
	t.Run("only providers that verify the address are offered", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, append(slices.Clone(configured), LinkedIn("i", "s"))...)
		owner := f.signInAs(t, verified("a", ada))
		if _, err := f.link(t.Context(), owner.ID, other, verified("g", "private@example.com")); err != nil {
			t.Fatal(err)
		}
		_, refused := f.signInBy(t, LinkedIn("i", "s"), verified("l", ada))
		if refused == nil || !slices.Equal(refused.Providers, []Choice{{"oidc", "Demo"}}) {
			t.Errorf("got %+v, want the one provider that verifies the address", refused)
		}
	})
	t.Run("an identity is stored for an admin if no known provider is configured", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		owner := f.signInAs(t, verified("a", ada))
		_, refused := f.signInBy(t, other, verified("g", ada))
		stored, err := f.Refused(t.Context(), owner.ID)
		if refused == nil || len(refused.Providers) != 0 || err != nil || len(stored) != 1 {
			t.Errorf("got refusal %+v, stored %v, %v, want one stored", refused, stored, err)
		}
	})
	t.Run("an account without identities opens to the first of twenty concurrent sign-ins", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		paid := f.checkoutUser(t, ada)
		var opened, refused atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			user, err := f.trySignIn(t.Context(), verified(fmt.Sprint("s", i), ada))
			switch got := fault.Of(err); {
			case err == nil && user.ID == paid:
				opened.Add(1)
			case got != nil && got.Problem == fault.AddressReissued:
				refused.Add(1)
			default:
				t.Errorf("got user %d, %v", user.ID, err)
			}
		})
		if opened.Load() != 1 || refused.Load() != 19 {
			t.Errorf("got %d opened and %d refused, want 1 and 19", opened.Load(), refused.Load())
		}
		if n := f.count(t, "SELECT count(*) FROM refused_identities"); n != maxRefused {
			t.Errorf("got %d stored refused identities, want %d", n, maxRefused)
		}
		if n := f.count(t, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("got %d users, want 1", n)
		}
	})
}

func TestPendingIdentityIsLinkedAfterAFreshSignIn(t *testing.T) {
	t.Parallel()
	f := withGoogle(t)
	owner, another := f.signInAs(t, verified("a", ada)), f.signInAs(t, verified("b", "bob@example.com"))
	_, refused := f.signInBy(t, other, verified("g", ada))
	for name, c := range map[string]struct {
		in   SignIn
		want fault.Problem
	}{
		"as another user":          {SignIn{User: another, Reauthenticated: true}, fault.AddressOther},
		"without reauthentication": {SignIn{User: owner}, fault.NotPresent},
	} {
		err := f.LinkPending(t.Context(), c.in, refused.Pending)
		if got := fault.Of(err); got == nil || got.Problem != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if _, again := f.signInBy(t, other, verified("g", ada)); again == nil {
		t.Error("unlinked identity: got a sign-in, want a refusal")
	}
	if err := f.LinkPending(t.Context(), SignIn{User: owner, Reauthenticated: true}, refused.Pending); err != nil {
		t.Fatal(err)
	}
	if user, again := f.signInBy(t, other, verified("g", ada)); again != nil || user.ID != owner.ID {
		t.Errorf("linked identity: got user %d, %v, want %d", user.ID, again, owner.ID)
	}
}

func TestRelinkReplacesAnIdentityOnce(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	boss := f.signInAs(t, verified("boss", "boss@example.com"))
	owner := f.signInAs(t, verified("old", ada))
	old, err := f.Open(t.Context(), SignIn{User: owner, Issuer: "https://id.example.com", Subject: "old"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.trySignIn(t.Context(), verified("new", ada)); err == nil {
		t.Fatal("new identity: got a sign-in, want a refusal")
	}
	by := ByAdmin{ActorID: boss.ID, UserID: owner.ID,
		Identity: IdentityID(models.Identity{Issuer: "https://id.example.com", Subject: "new"})}
	wrong := by
	wrong.Identity = "another"
	if err := f.Relink(t.Context(), wrong); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown identity: got %v, want not found", err)
	}
	wrong = by
	wrong.UserID = boss.ID
	if err := f.Relink(t.Context(), wrong); !fault.Is(err, fault.NotFound) {
		t.Errorf("another account: got %v, want not found", err)
	}
	var done atomic.Int64
	dbtest.Concurrently(20, func(int) {
		switch err := f.Relink(t.Context(), by); {
		case err == nil:
			done.Add(1)
		case !fault.Is(err, fault.NotFound):
			t.Error(err)
		}
	})
	if n := f.count(t, "SELECT count(*) FROM audit_log WHERE action = 'identity.relink'"); done.Load() != 1 || n != 1 {
		t.Errorf("got %d links and %d audit entries, want 1 and 1", done.Load(), n)
	}
	if again := f.signInAs(t, verified("new", ada)); again.ID != owner.ID {
		t.Errorf("new identity: got user %d, want %d", again.ID, owner.ID)
	}
	if _, err := f.trySignIn(t.Context(), verified("old", ada)); err == nil {
		t.Error("replaced identity: got a sign-in, want a refusal")
	}
	wantLive(t, f.Sessions, old, false)
}

func TestUnlinkEndsTheSessionsOfTheIdentity(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	here, user := f.openSession(t, "a", "")
	if _, err := f.tryToLink(t.Context(), user, profile{Subject: "b"}); err != nil {
		t.Fatal(err)
	}
	there, _ := f.openSession(t, "b", "")
	before, _ := f.openSession(t, "a", "")
	if err := f.fixture.db.Exec(`UPDATE sessions SET issuer = '', subject = '' WHERE key_hash = ?`,
		f.KeyHash(before)).Error; err != nil {
		t.Fatal(err)
	}
	id := IdentityID(models.Identity{Issuer: "https://id.example.com", Subject: "b"})
	if err := f.Unlink(t.Context(), user, id); err != nil {
		t.Fatal(err)
	}
	wantLive(t, f.Sessions, there, false)
	wantLive(t, f.Sessions, before, false) // its identity is unknown
	wantLive(t, f.Sessions, here, true)
}

func TestSandboxKeepsItsUsersWhenItsPortChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sandbox := ProviderConfig{Name: "oidc", Issuer: "http://localhost:3002/", Alias: SandboxIssuer}
	old, _ := f.signInBy(t, ProviderConfig{Name: "oidc", Issuer: "http://localhost:3002/"}, verified("demo", ada))
	if err := f.db.Exec(
		`INSERT INTO identities (issuer, subject, user_id, provider, last_sign_in_at) VALUES ('http://localhost:4002/', 'demo', ?, 'oidc', now() - interval '1 day')`, old.ID).Error; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := AdoptSandbox(t.Context(), f.db); err != nil {
			t.Fatal(err)
		}
		sandbox.Issuer = "http://localhost:4002/"
		if user, refused := f.signInBy(t, sandbox, verified("demo", ada)); refused != nil || user.ID != old.ID {
			t.Errorf("got user %d, %v, want %d", user.ID, refused, old.ID)
		}
	}
	if err := AdoptSandbox(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
