package auth

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
)

// tryToLink links an identity to a user, without a provider.
func (f fixture) tryToLink(ctx context.Context, userID int64, p profile) (bool, error) {
	person, ok := p.clean()
	if !ok {
		return false, fault.Because(fault.Malformed, fault.SignInFailed)
	}
	return f.link(ctx, userID, ProviderConfig{Name: "oidc", Issuer: "https://id.example.com"}, person)
}

// wantLinkRefused checks that linking is refused for a reason and changes nothing.
func (f fixture) wantLinkRefused(t *testing.T, userID int64, p profile, want fault.Problem) {
	t.Helper()
	const state = `SELECT count(*) + coalesce(sum(hashtext(identities::text)), 0) FROM identities`
	const users = `SELECT count(*) + coalesce(sum(hashtext(users::text)), 0) FROM users`
	before, people := f.count(t, state), f.count(t, users)
	_, err := f.tryToLink(t.Context(), userID, p)
	if got := fault.Of(err); got == nil || got.Code != fault.Conflict || got.Problem != want {
		t.Errorf("link: got %v, want %s", err, want)
	}
	if f.count(t, state) != before || f.count(t, users) != people {
		t.Error("refused link: got changed rows, want none")
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	t.Run("adds an identity that opens the same account", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.signInAs(t, verified("a", ada))
		for i, want := range []bool{false, true} {
			already, err := f.tryToLink(t.Context(), user.ID, verified("b", "other@example.com"))
			if err != nil || already != want {
				t.Errorf("link %d: got already %v, %v, want %v", i, already, err, want)
			}
		}
		if again := f.signInAs(t, verified("b", "other@example.com")); again.ID != user.ID {
			t.Errorf("linked identity: got user %d, want %d", again.ID, user.ID)
		}
		if got := f.emailOf(t, user.ID); got != ada {
			t.Errorf("got address %q, want %q", got, ada)
		}
	})
	t.Run("gives a user without an address the verified one", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.signInAs(t, profile{Subject: "a"})
		if _, err := f.tryToLink(t.Context(), user.ID, unverified("u", "claimed@example.com")); err != nil {
			t.Fatal(err)
		}
		if got := f.emailOf(t, user.ID); got != "" {
			t.Errorf("after an unverified link: got address %q, want none", got)
		}
		if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
			t.Fatal(err)
		}
		if got := f.emailOf(t, user.ID); got != ada {
			t.Errorf("got address %q, want %q", got, ada)
		}
	})
	t.Run("gives an address to the user for whom it is verified, not to one who claims it", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		squatter, user := f.signInAs(t, unverified("s", ada)), f.signInAs(t, profile{Subject: "a"})
		if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
			t.Fatal(err)
		}
		if f.emailOf(t, user.ID) != ada || f.emailOf(t, squatter.ID) != "" {
			t.Errorf("got addresses %q and %q, want %q and none", f.emailOf(t, user.ID), f.emailOf(t, squatter.ID), ada)
		}
	})
	t.Run("refuses another user's identity", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user, _ := f.signInAs(t, verified("a", ada)), f.signInAs(t, verified("b", "bob@example.com"))
		f.wantLinkRefused(t, user.ID, verified("b", "new@example.com"), fault.IdentityTaken)
	})
	t.Run("refuses an identity that would open another account by its address", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.signInAs(t, verified("a", ada))
		f.signInAs(t, verified("b", "bob@example.com"))
		f.wantLinkRefused(t, user.ID, verified("c", "bob@example.com"), fault.AddressTaken)
		if _, err := f.tryToLink(t.Context(), user.ID, unverified("e", "bob@example.com")); err != nil {
			t.Errorf("unverified address: got %v, want success", err)
		}
	})
	t.Run("refuses an address that another user's second identity shows", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		owner, user := f.signInAs(t, verified("a", ada)), f.signInAs(t, profile{Subject: "u"})
		if _, err := f.tryToLink(t.Context(), owner.ID, verified("w", "work@example.com")); err != nil {
			t.Fatal(err)
		}
		f.wantLinkRefused(t, user.ID, verified("v", "work@example.com"), fault.AddressTaken)
		if _, err := f.tryToLink(t.Context(), owner.ID, verified("x", "work@example.com")); err != nil {
			t.Errorf("third identity of the owner: got %v, want success", err)
		}
	})
	t.Run("adds an identity whose address another user's provider verifies as well", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		later, owner := f.signInAs(t, verified("s", "old@example.com")), f.signInAs(t, verified("a", ada))
		f.signInAs(t, verified("s", ada)) // changed at the provider
		if f.emailOf(t, later.ID) != "" {
			t.Errorf("got address %q, want none: it is its owner's", f.emailOf(t, later.ID))
		}
		if _, err := f.tryToLink(t.Context(), owner.ID, verified("b", ada)); err != nil {
			t.Errorf("link of the owner: got %v, want success", err)
		}
		f.wantLinkRefused(t, later.ID, verified("c", ada), fault.AddressTaken)
	})
	t.Run("refuses more than 20 identities", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.signInAs(t, profile{Subject: "0"})
		for i := 1; i < maxIdentities; i++ {
			if _, err := f.tryToLink(t.Context(), user.ID, profile{Subject: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		f.wantLinkRefused(t, user.ID, profile{Subject: "more"}, fault.IdentityLimit)
		if already, err := f.tryToLink(t.Context(), user.ID, profile{Subject: "1"}); err != nil || !already {
			t.Errorf("known identity: got already %v, %v, want true", already, err)
		}
	})
}

func TestTwentyConcurrentLinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := make([]int64, 20)
	for i := range users {
		users[i] = f.signInAs(t, profile{Subject: fmt.Sprint("own", i)}).ID
	}
	race := func(userOf func(i int) int64, subject string) (linked, already, taken int) {
		var mu sync.Mutex
		var running sync.WaitGroup
		for i := range 20 {
			running.Go(func() {
				was, err := f.tryToLink(t.Context(), userOf(i), verified(subject, subject+"@example.com"))
				mu.Lock()
				defer mu.Unlock()
				switch got := fault.Of(err); {
				case err == nil && was:
					already++
				case err == nil:
					linked++
				case got != nil && got.Problem == fault.IdentityTaken:
					taken++
				default:
					t.Errorf("link %d: %v", i, err)
				}
			})
		}
		running.Wait()
		return linked, already, taken
	}
	if linked, already, _ := race(func(int) int64 { return users[0] }, "one"); linked != 1 || already != 19 {
		t.Errorf("one user, 20 times: got %d linked, %d already, want 1, 19", linked, already)
	}
	if linked, _, taken := race(func(i int) int64 { return users[i] }, "many"); linked != 1 || taken != 19 {
		t.Errorf("20 users: got %d linked, %d taken, want 1, 19", linked, taken)
	}
}
