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

// other is a second issuer at the database's door.
var other = ProviderConfig{Name: "google", Issuer: "https://other.example.com"}

// arriveBy signs somebody in at the door by another issuer.
func (f fixture) arriveBy(t *testing.T, config ProviderConfig, p profile) (models.User, *Held) {
	t.Helper()
	who, ok := p.clean()
	if !ok {
		t.Fatal("no subject")
	}
	user, err := f.signIn(t.Context(), config, who, "de")
	var held *Held
	if err != nil && !errors.As(err, &held) {
		t.Fatal(err)
	}
	return user, held
}

// withGoogle is a fixture where the provider of arrive and a second one are set up.
func withGoogle(t *testing.T) fixture {
	return newFixture(t, OpenID("Demo", "https://id.example.com", "i", "s"), ProviderConfig{Name: "google", Label: "Google", Issuer: other.Issuer, ClientID: "i", ClientSecret: "s"})
}

func TestNewIdentityNeverOpensAnAccountByItsAddress(t *testing.T) {
	t.Parallel()
	t.Run("the same issuer's is refused and kept for an admin", func(t *testing.T) {
		t.Parallel()
		f := withGoogle(t)
		owner := f.arrive(t, verified("subject-of-2023", ada))
		for range 2 {
			_, err := f.tryToArrive(t.Context(), verified("subject-of-2026", "ADA@example.com"))
			var held *Held
			if !errors.As(err, &held) || !held.Reissued || len(held.Ways) != 0 || fault.Of(err).Problem != fault.AddressReissued {
				t.Fatalf("a re-issued address: %v, want a refusal", err)
			}
		}
		refused, err := f.Refused(t.Context(), owner.ID)
		if err != nil || len(refused) != 1 || refused[0].Subject != "subject-of-2026" || refused[0].Email != ada {
			t.Errorf("refused = %+v, %v", refused, err)
		}
	})
	t.Run("another issuer's is asked to sign in the old way", func(t *testing.T) {
		t.Parallel()
		f := withGoogle(t)
		owner := f.arrive(t, verified("a", ada))
		_, held := f.arriveBy(t, other, verified("g", ada))
		if held == nil || held.Reissued || !slices.Equal(held.Ways, []Choice{{"oidc", "Demo"}}) || fault.Of(held).Problem != fault.AddressKnown || held.Join.UserID != owner.ID {
			t.Fatalf("held = %+v", held)
		}
		if n := f.count(t, "SELECT count(*) FROM refused_identities"); n != 0 {
			t.Errorf("%d rows for an admin, though the owner can help themselves", n)
		}
	})
	t.Run("only the providers that vouch for the address are named", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, OpenID("Demo", "https://id.example.com", "i", "s"), ProviderConfig{Name: "google", Label: "Google", Issuer: other.Issuer, ClientID: "i", ClientSecret: "s"},
			LinkedIn("i", "s"))
		owner := f.arrive(t, verified("a", ada))
		if _, err := f.link(t.Context(), owner.ID, other, verified("g", "private@example.com")); err != nil {
			t.Fatal(err)
		}
		_, held := f.arriveBy(t, LinkedIn("i", "s"), verified("l", ada))
		if held == nil || !slices.Equal(held.Ways, []Choice{{"oidc", "Demo"}}) {
			t.Errorf("held = %+v, want the one way that vouches for the address", held)
		}
	})
	t.Run("one whose old provider is gone is kept for an admin", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		owner := f.arrive(t, verified("a", ada))
		_, held := f.arriveBy(t, other, verified("g", ada))
		if refused, err := f.Refused(t.Context(), owner.ID); held == nil || len(held.Ways) != 0 || err != nil || len(refused) != 1 {
			t.Errorf("held = %+v, refused = %v, %v", held, refused, err)
		}
	})
	t.Run("an account to which nobody has signed in opens to the first, of twenty at once", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		paid := f.checkoutUser(t, ada)
		var opened, refused atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			user, err := f.tryToArrive(t.Context(), verified(fmt.Sprint("s", i), ada))
			switch told := fault.Of(err); {
			case err == nil && user.ID == paid:
				opened.Add(1)
			case told != nil && told.Problem == fault.AddressReissued:
				refused.Add(1)
			default:
				t.Errorf("user %d, %v", user.ID, err)
			}
		})
		if opened.Load() != 1 || refused.Load() != 19 {
			t.Errorf("%d opened it and %d were refused, want 1 and 19", opened.Load(), refused.Load())
		}
		if n := f.count(t, "SELECT count(*) FROM refused_identities"); n != maxRefused {
			t.Errorf("%d refused identities kept, want %d", n, maxRefused)
		}
		if n := f.count(t, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("%d users, want 1", n)
		}
	})
}

func TestJoinAfterSigningInTheOldWay(t *testing.T) {
	t.Parallel()
	f := withGoogle(t)
	owner, stranger := f.arrive(t, verified("a", ada)), f.arrive(t, verified("b", "bob@example.com"))
	_, held := f.arriveBy(t, other, verified("g", ada))
	for name, c := range map[string]struct {
		in   SignIn
		want fault.Problem
	}{
		"as somebody else":            {SignIn{User: stranger, Proof: true}, fault.IdentityOther},
		"by a sign-in that is no new": {SignIn{User: owner}, fault.NotPresent},
	} {
		err := f.Join(t.Context(), c.in, held.Join)
		if told := fault.Of(err); told == nil || told.Problem != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, again := f.arriveBy(t, other, verified("g", ada)); again == nil {
		t.Error("the identity opens the account though it was not added")
	}
	if err := f.Join(t.Context(), SignIn{User: owner, Proof: true}, held.Join); err != nil {
		t.Fatal(err)
	}
	if user, again := f.arriveBy(t, other, verified("g", ada)); again != nil || user.ID != owner.ID {
		t.Errorf("the added identity opens user %d, %v, want %d", user.ID, again, owner.ID)
	}
}

func TestRelink(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	f := l.fixture
	boss := f.arrive(t, verified("boss", "boss@example.com"))
	owner := f.arrive(t, verified("old", ada))
	old, err := l.Open(t.Context(), SignIn{User: owner, Issuer: "https://id.example.com", Subject: "old"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.tryToArrive(t.Context(), verified("new", ada)); err == nil {
		t.Fatal("the new identity was let in")
	}
	by := ByAdmin{ActorID: boss.ID, UserID: owner.ID, Identity: IdentityID(models.Identity{Issuer: "https://id.example.com", Subject: "new"})}
	wrong := by
	wrong.Identity = "another"
	if err := f.Relink(t.Context(), wrong); !fault.Is(err, fault.NotFound) {
		t.Errorf("an identity that was not refused: %v", err)
	}
	wrong = by
	wrong.UserID = boss.ID
	if err := f.Relink(t.Context(), wrong); !fault.Is(err, fault.NotFound) {
		t.Errorf("to another account: %v", err)
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
		t.Errorf("linked %d times with %d lines in the audit log, want 1 and 1", done.Load(), n)
	}
	if again := f.arrive(t, verified("new", ada)); again.ID != owner.ID {
		t.Errorf("the new identity opens user %d, want %d", again.ID, owner.ID)
	}
	if _, err := f.tryToArrive(t.Context(), verified("old", ada)); err == nil {
		t.Error("the replaced identity still opens the account")
	}
	wantLive(t, l.Sessions, old, false)
}

func TestUnlinkEndsTheSessionsThatTheIdentityOpened(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	here, user := l.enter(t, "a", "")
	if _, err := l.tryToLink(t.Context(), user, profile{Subject: "b"}); err != nil {
		t.Fatal(err)
	}
	there, _ := l.enter(t, "b", "")
	before, _ := l.enter(t, "a", "")
	if err := l.fixture.db.Exec(`UPDATE sessions SET issuer = '', subject = '' WHERE key_hash = ?`, l.Name(before)).Error; err != nil {
		t.Fatal(err)
	}
	id := IdentityID(models.Identity{Issuer: "https://id.example.com", Subject: "b"})
	if err := l.Unlink(t.Context(), user, id); err != nil {
		t.Fatal(err)
	}
	wantLive(t, l.Sessions, there, false)
	wantLive(t, l.Sessions, before, false) // nothing says that another identity opened it
	wantLive(t, l.Sessions, here, true)
}

func TestAdminsRightBelongsToAnIdentity(t *testing.T) {
	t.Parallel()
	const boss = "admin@example.com"
	isAdmin := func(t *testing.T, f fixture, userID int64) bool {
		t.Helper()
		account, err := f.Account(t.Context(), userID)
		if err != nil {
			t.Fatal(err)
		}
		return account.Admin
	}
	t.Run("the first that shows the address, of twenty at once", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		dbtest.Concurrently(20, func(i int) { _, _ = f.tryToArrive(t.Context(), verified(fmt.Sprint("s", i), boss)) })
		if n := f.count(t, "SELECT count(*) FROM admin_identities"); n != 1 {
			t.Fatalf("%d identities hold the right, want 1", n)
		}
		if n := f.count(t, "SELECT count(*) FROM users WHERE "+hasRight, []string{boss}); n != 1 {
			t.Errorf("%d admins, want 1", n)
		}
	})
	t.Run("stays with it when the address goes to somebody else", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		first := f.arrive(t, verified("2023", boss))
		f.arrive(t, profile{Subject: "2023"}) // the address is gone at the provider
		if err := f.db.Exec(`UPDATE users SET email = NULL WHERE id = ?`, first.ID).Error; err != nil {
			t.Fatal(err)
		}
		second := f.arrive(t, verified("2026", boss))
		for range 2 {
			f.arrive(t, verified("2026", boss))
		}
		if second.ID == first.ID || isAdmin(t, f, second.ID) {
			t.Error("the right came with the address")
		}
		if isAdmin(t, f, first.ID) {
			t.Error("an admin who shows the address no longer keeps the right")
		}
		if n := f.count(t, "SELECT count(*) FROM audit_log WHERE action = 'admin.refused' AND user_id = ?", second.ID); n != 1 {
			t.Errorf("%d lines in the audit log, want 1", n)
		}
		identities, err := f.Identities(t.Context(), second.ID)
		if err != nil {
			t.Fatal(err)
		}
		if rights, err := f.RightOf(t.Context(), identities); err != nil || !slices.Equal(rights, []Right{HeldElsewhere}) {
			t.Errorf("rights = %v, %v", rights, err)
		}
		by := ByAdmin{ActorID: first.ID, UserID: second.ID, Identity: IdentityID(identities[0])}
		if err := f.MoveRight(t.Context(), by); err != nil || !isAdmin(t, f, second.ID) {
			t.Errorf("the right was not moved: %v", err)
		}
		by.Identity = "another"
		if err := f.MoveRight(t.Context(), by); !fault.Is(err, fault.NotFound) {
			t.Errorf("moved to an unknown identity: %v", err)
		}
	})
	t.Run("is given anew once it is released", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		first := f.arrive(t, verified("2023", boss))
		if err := f.db.Exec(`UPDATE users SET email = NULL WHERE id = ?`, first.ID).Error; err != nil {
			t.Fatal(err)
		}
		f.arrive(t, profile{Subject: "2023"})
		for _, want := range []bool{true, false} {
			if released, err := ReleaseRight(t.Context(), f.db, " Admin@example.com"); err != nil || released != want {
				t.Errorf("released = %v, %v, want %v", released, err, want)
			}
		}
		if second := f.arrive(t, verified("2026", boss)); !isAdmin(t, f, second.ID) {
			t.Error("the next identity did not get the right")
		}
		if pins, err := AdminIdentities(t.Context(), f.db); err != nil || len(pins) != 1 || pins[0].Subject != "2026" {
			t.Errorf("pins = %v, %v", pins, err)
		}
	})
}

// The right does not return to the identity that it was taken from, although that one showed the address first.
func TestReleasedRightIsTheNextIdentitys(t *testing.T) {
	t.Parallel()
	const boss = "admin@example.com"
	f := newFixture(t)
	first, second := f.arrive(t, verified("2023", boss)), f.arrive(t, verified("2026", "new@example.com"))
	f.arrive(t, verified("2026", boss)) // changed at the provider
	admins := func() (ids []int64) {
		t.Helper()
		if err := f.db.Raw("SELECT id FROM users WHERE "+hasRight+" ORDER BY id", []string{boss}).Scan(&ids).Error; err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if got := admins(); !slices.Equal(got, []int64{first.ID}) {
		t.Fatalf("admins = %v, want the first", got)
	}
	if _, err := ReleaseRight(t.Context(), f.db, boss); err != nil || len(admins()) != 0 {
		t.Fatalf("admins = %v, %v, want none", admins(), err)
	}
	f.arrive(t, verified("2026", boss))
	f.arrive(t, verified("2023", boss))
	if got := admins(); !slices.Equal(got, []int64{second.ID}) {
		t.Errorf("admins = %v, want %d, who came first after the release", got, second.ID)
	}
	if f.emailOf(t, first.ID) != "" || f.emailOf(t, second.ID) != boss {
		t.Error("the address did not go along")
	}
}

// An only admin whose account at the provider was made anew is refused, and nobody can relink them: the release lets them in.
func TestReleaseLetsARefusedAdminIn(t *testing.T) {
	t.Parallel()
	const boss = "admin@example.com"
	f := newFixture(t)
	old := f.arrive(t, verified("2023", boss))
	if _, err := f.tryToArrive(t.Context(), verified("2026", boss)); fault.Of(err) == nil {
		t.Fatalf("the new identity: %v, want a refusal", err)
	}
	if _, err := ReleaseRight(t.Context(), f.db, boss); err != nil {
		t.Fatal(err)
	}
	anew := f.arrive(t, verified("2026", boss))
	if account, err := f.Account(t.Context(), anew.ID); err != nil || anew.ID == old.ID || !account.Admin {
		t.Errorf("%+v, %v, want a new account that is an admin's", account, err)
	}
	if again := f.arrive(t, verified("2023", boss)); again.ID != old.ID || again.Email != "" {
		t.Errorf("the old identity opens user %d with the address %q, want its account, without it", again.ID, again.Email)
	}
}

func TestSandboxKeepsItsPeopleWhenItsPortChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sandbox := ProviderConfig{Name: "oidc", Issuer: "http://localhost:3002/", Alias: SandboxIssuer}
	old, _ := f.arriveBy(t, ProviderConfig{Name: "oidc", Issuer: "http://localhost:3002/"}, verified("demo", ada))
	if err := f.db.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, last_sign_in_at) VALUES ('http://localhost:4002/', 'demo', ?, 'oidc', now() - interval '1 day')`, old.ID).Error; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := AdoptSandbox(t.Context(), f.db); err != nil {
			t.Fatal(err)
		}
		sandbox.Issuer = "http://localhost:4002/"
		if user, held := f.arriveBy(t, sandbox, verified("demo", ada)); held != nil || user.ID != old.ID {
			t.Errorf("user %d, %v, want %d", user.ID, held, old.ID)
		}
	}
	if err := AdoptSandbox(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
