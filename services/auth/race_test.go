package auth

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// signInConcurrently runs n sign-ins at once and returns how many ended at each user.
func (f fixture) signInConcurrently(t *testing.T, n int, person func(i int) profile) map[int64]int {
	t.Helper()
	start, users := make(chan struct{}), map[int64]int{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			user, err := f.trySignIn(t.Context(), person(i))
			mu.Lock()
			defer mu.Unlock()
			if _, ok := errors.AsType[*AddressInUseError](err); ok { // another identity had the address first
				return
			}
			if err != nil {
				t.Errorf("sign-in %d: %v", i, err)
			}
			users[user.ID]++
		})
	}
	close(start)
	running.Wait()
	return users
}

func TestTwentyConcurrentFirstSignIns(t *testing.T) {
	t.Parallel()
	t.Run("of one identity make one user", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		if users := f.signInConcurrently(t, 20, func(int) profile { return verified("a", ada) }); len(users) != 1 {
			t.Errorf("got users %v, want one", users)
		}
		if n := f.count(t, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("got %d users, want 1", n)
		}
	})
	t.Run("of one identity without an address make one user", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.signInConcurrently(t, 20, func(int) profile { return profile{Subject: "a"} })
		if n := f.count(t, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("got %d users, want 1", n)
		}
	})
	t.Run("of twenty identities with one verified address open one account", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		if users := f.signInConcurrently(t, 20,
			func(i int) profile { return verified(fmt.Sprint("a", i), ada) }); len(users) != 1 {
			t.Errorf("got users %v, want one", users)
		}
		if n := f.count(t, "SELECT count(*) FROM identities"); n != 1 {
			t.Errorf("got %d identities, want 1", n)
		}
	})
	t.Run("of which half are unverified give the address to its owner", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.signInConcurrently(t, 20, func(i int) profile {
			if i%2 == 0 {
				return verified(fmt.Sprint("a", i), ada)
			}
			return unverified(fmt.Sprint("u", i), ada)
		})
		owners := f.count(t, "SELECT count(DISTINCT user_id) FROM identities WHERE email_verified")
		mixed := f.count(t,
			`SELECT count(*) FROM identities AS v JOIN identities AS u USING (user_id) WHERE v.email_verified AND NOT u.email_verified`)
		squatters := f.count(t,
			`SELECT count(*) FROM users JOIN identities ON user_id = id WHERE users.email = ? AND NOT email_verified`, ada)
		if owners != 1 || mixed != 0 || squatters != 0 {
			t.Errorf("got %d owners, %d mixed accounts, %d squatters with the address, want 1, 0, 0", owners, mixed, squatters)
		}
	})
	t.Run("concurrent with Checkouts for the same addresses make one user each", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.signInConcurrently(t, 20, func(i int) profile {
			email := fmt.Sprintf("ada%d@example.com", i/2)
			if i%2 == 0 {
				if err := f.db.Exec("INSERT INTO users (email) VALUES (?) ON CONFLICT DO NOTHING", email).Error; err != nil {
					t.Errorf("checkout: %v", err)
				}
			}
			return verified(fmt.Sprint("a", i/2), email)
		})
		if n := f.count(t, "SELECT count(*) FROM users"); n != 10 {
			t.Errorf("got %d users, want 10", n)
		}
	})
}

// Two issuers verify one address, in twenty concurrent sign-ins: one identity opens an account, the other is refused
// until it is linked. Twenty concurrent links link it once.
func TestTwoIssuersOfOneAddressConcurrently(t *testing.T) {
	t.Parallel()
	f := withGoogle(t)
	first := ProviderConfig{Name: "oidc", Issuer: "https://id.example.com"}
	var mu sync.Mutex
	var refusals []*AddressInUseError
	opened := map[int64]ProviderConfig{}
	dbtest.Concurrently(20, func(i int) {
		config := []ProviderConfig{first, other}[i%2]
		user, refused := f.signInBy(t, config, verified("same", ada))
		mu.Lock()
		defer mu.Unlock()
		if refused != nil {
			refusals = append(refusals, refused)
		} else {
			opened[user.ID] = config
		}
	})
	if n := f.count(t, "SELECT count(*) FROM identities"); n != 1 || len(opened) != 1 || len(refusals) != 10 {
		t.Fatalf("got %d identities, %d accounts, %d refusals, want 1, 1, 10", n, len(opened), len(refusals))
	}
	dbtest.Concurrently(20, func(i int) {
		pending := refusals[i%len(refusals)].Pending
		in := SignIn{User: models.User{ID: pending.UserID}, Reauthenticated: true}
		if err := f.LinkPending(t.Context(), in, pending); err != nil {
			t.Error(err)
		}
	})
	if n := f.count(t, "SELECT count(*) FROM audit_log WHERE action = 'identity.link'"); n != 1 {
		t.Errorf("got %d audit entries, want 1", n)
	}
	for id := range opened {
		for _, config := range []ProviderConfig{first, other} {
			if user, refused := f.signInBy(t, config, verified("same", ada)); refused != nil || user.ID != id {
				t.Errorf("%s: got user %d, %v, want %d", config.Name, user.ID, refused, id)
			}
		}
	}
}
