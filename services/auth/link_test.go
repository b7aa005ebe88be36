package auth

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
)

// tryToLink brings an identity to the database's door, for a user who is signed in.
func (f fixture) tryToLink(ctx context.Context, userID int64, p profile) (bool, error) {
	who, ok := p.clean()
	if !ok {
		return false, fault.Because(fault.Malformed, fault.SignInFailed)
	}
	return f.link(ctx, userID, ProviderConfig{Name: "oidc", Issuer: "https://id.example.com"}, who)
}

// refusesToLink checks that linking is refused for a reason and that nothing has moved.
func (f fixture) refusesToLink(t *testing.T, userID int64, p profile, want fault.Problem) {
	t.Helper()
	const state = `SELECT count(*) + coalesce(sum(hashtext(identities::text)), 0) FROM identities`
	const users = `SELECT count(*) + coalesce(sum(hashtext(users::text)), 0) FROM users`
	before, people := f.count(t, state), f.count(t, users)
	_, err := f.tryToLink(t.Context(), userID, p)
	if told := fault.Of(err); told == nil || told.Code != fault.Conflict || told.Problem != want {
		t.Errorf("linking = %v, want %s", err, want)
	}
	if f.count(t, state) != before || f.count(t, users) != people {
		t.Error("a refused link changed something")
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	t.Run("adds an identity that opens the same account", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.arrive(t, verified("a", ada))
		for i, want := range []bool{false, true} {
			already, err := f.tryToLink(t.Context(), user.ID, verified("b", "other@example.com"))
			if err != nil || already != want {
				t.Errorf("link %d: already = %v, %v; want %v", i, already, err, want)
			}
		}
		if again := f.arrive(t, verified("b", "other@example.com")); again.ID != user.ID {
			t.Errorf("the linked identity opens user %d, want %d", again.ID, user.ID)
		}
		if got := f.emailOf(t, user.ID); got != ada {
			t.Errorf("address = %q, want the one the user had", got)
		}
	})
	t.Run("gives a user without an address the verified one", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.arrive(t, profile{Subject: "a"})
		if _, err := f.tryToLink(t.Context(), user.ID, unverified("u", "claimed@example.com")); err != nil {
			t.Fatal(err)
		}
		if got := f.emailOf(t, user.ID); got != "" {
			t.Errorf("address = %q after an unverified claim, want none", got)
		}
		if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
			t.Fatal(err)
		}
		if got := f.emailOf(t, user.ID); got != ada {
			t.Errorf("address = %q, want %q", got, ada)
		}
	})
	t.Run("gives an address that somebody else claims to whom it was verified for", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		squatter, user := f.arrive(t, unverified("s", ada)), f.arrive(t, profile{Subject: "a"})
		if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
			t.Fatal(err)
		}
		if f.emailOf(t, user.ID) != ada || f.emailOf(t, squatter.ID) != "" {
			t.Error("the address did not go to whom it was verified for")
		}
	})
	t.Run("refuses another user's identity", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user, _ := f.arrive(t, verified("a", ada)), f.arrive(t, verified("b", "bob@example.com"))
		f.refusesToLink(t, user.ID, verified("b", "new@example.com"), fault.IdentityTaken)
	})
	t.Run("refuses an identity that would open another account by its address", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.arrive(t, verified("a", ada))
		f.arrive(t, verified("b", "bob@example.com"))
		f.refusesToLink(t, user.ID, verified("c", "bob@example.com"), fault.AddressTaken)
		if _, err := f.tryToLink(t.Context(), user.ID, unverified("e", "bob@example.com")); err != nil {
			t.Errorf("an address that nobody verified kept the identity out: %v", err)
		}
	})
	t.Run("refuses an address that another user's second identity shows", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		owner, user := f.arrive(t, verified("a", ada)), f.arrive(t, profile{Subject: "u"})
		if _, err := f.tryToLink(t.Context(), owner.ID, verified("w", "work@example.com")); err != nil {
			t.Fatal(err)
		}
		f.refusesToLink(t, user.ID, verified("v", "work@example.com"), fault.AddressTaken)
		if _, err := f.tryToLink(t.Context(), owner.ID, verified("x", "work@example.com")); err != nil {
			t.Errorf("the owner's third identity: %v", err)
		}
	})
	t.Run("adds an identity whose address has since become a stranger's at another provider", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		stranger, owner := f.arrive(t, verified("s", "old@example.com")), f.arrive(t, verified("a", ada))
		f.arrive(t, verified("s", ada)) // the provider's word now
		if f.emailOf(t, stranger.ID) != "" {
			t.Error("the address left its owner")
		}
		if _, err := f.tryToLink(t.Context(), owner.ID, verified("b", ada)); err != nil {
			t.Errorf("the owner is kept out: %v", err)
		}
		f.refusesToLink(t, stranger.ID, verified("c", ada), fault.AddressTaken)
	})
	t.Run("has a limit", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.arrive(t, profile{Subject: "0"})
		for i := 1; i < maxIdentities; i++ {
			if _, err := f.tryToLink(t.Context(), user.ID, profile{Subject: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		f.refusesToLink(t, user.ID, profile{Subject: "more"}, fault.IdentityLimit)
		if already, err := f.tryToLink(t.Context(), user.ID, profile{Subject: "1"}); err != nil || !already {
			t.Errorf("one of them again = %v, %v; want that it is there already", already, err)
		}
	})
}

func TestTwentyLinksAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := make([]int64, 20)
	for i := range users {
		users[i] = f.arrive(t, profile{Subject: fmt.Sprint("own", i)}).ID
	}
	race := func(userOf func(i int) int64, subject string) (linked, already, taken int) {
		var mu sync.Mutex
		var running sync.WaitGroup
		for i := range 20 {
			running.Go(func() {
				was, err := f.tryToLink(t.Context(), userOf(i), verified(subject, subject+"@example.com"))
				mu.Lock()
				defer mu.Unlock()
				switch told := fault.Of(err); {
				case err == nil && was:
					already++
				case err == nil:
					linked++
				case told != nil && told.Problem == fault.IdentityTaken:
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
		t.Errorf("one user, twenty times: %d linked, %d already; want 1, 19", linked, already)
	}
	if linked, _, taken := race(func(i int) int64 { return users[i] }, "many"); linked != 1 || taken != 19 {
		t.Errorf("twenty users: %d linked, %d taken; want 1, 19", linked, taken)
	}
}
