package auth

import (
	"sync"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
)

func TestSignInAfterDeletionCreatesANewAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.signInAs(t, verified("a", ada))
	for range 2 {
		if err := f.Delete(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
	}
	again := f.signInAs(t, verified("a", ada))
	if again.ID == first.ID || again.CreditsBalance != 0 || again.Email != ada {
		t.Errorf("got user %d with %d credits, want a new user with 0 credits", again.ID, again.CreditsBalance)
	}
	if _, err := f.tryToLink(t.Context(), first.ID, verified("b", "b@example.com")); !fault.Is(err, fault.NotFound) {
		t.Errorf("link to a deleted account: got %v, want not found", err)
	}
}

func TestConcurrentSignInsAndDeletions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.signInAs(t, verified("a", ada))
	var running sync.WaitGroup
	for i := range 30 {
		running.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				err = f.Delete(t.Context(), first.ID)
			case 1:
				_, err = f.trySignIn(t.Context(), verified("a", ada))
			case 2:
				_, err = f.tryToLink(t.Context(), first.ID, verified("b", ada))
			}
			if got := fault.Of(err); err != nil && (got == nil || got.Code != fault.NotFound && got.Code != fault.Conflict) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	running.Wait()
	if _, err := f.Account(t.Context(), first.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleted account: got %v, want not found", err)
	}
	if n := f.count(t, "SELECT count(*) FROM identities WHERE user_id = ?", first.ID); n != 0 {
		t.Errorf("deleted account: got %d identities, want 0", n)
	}
	user := f.signInAs(t, verified("a", ada))
	if n := f.count(t, "SELECT count(*) FROM users WHERE deleted_at IS NULL"); n != 1 || user.ID == first.ID {
		t.Errorf("got %d accounts and user %d, want one new account", n, user.ID)
	}
}
