package auth

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// together runs n sign-ins at once and returns the users they ended at.
func (f fixture) together(t *testing.T, n int, who func(i int) profile) map[int64]int {
	t.Helper()
	start, users := make(chan struct{}), map[int64]int{}
	var mu sync.Mutex
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			user, err := f.tryToArrive(t.Context(), who(i))
			mu.Lock()
			defer mu.Unlock()
			var held *Held
			if errors.As(err, &held) { // another was first with this address
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

func TestTwentyFirstSignInsAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("of one identity make one user", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		if users := f.together(t, 20, func(int) profile { return verified("a", ada) }); len(users) != 1 {
			t.Errorf("users = %v, want one", users)
		}
		if n := f.count(t, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("%d users, want 1", n)
		}
	})
	t.Run("of one identity without an address make one user", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.together(t, 20, func(int) profile { return profile{Subject: "a"} })
		if n := f.count(t, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("%d users, want 1", n)
		}
	})
	t.Run("of twenty identities with one verified address let one in", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		if users := f.together(t, 20, func(i int) profile { return verified(fmt.Sprint("a", i), ada) }); len(users) != 1 {
			t.Errorf("users = %v, want one", users)
		}
		if n := f.count(t, "SELECT count(*) FROM identities"); n != 1 {
			t.Errorf("%d identities, want 1", n)
		}
	})
	t.Run("half of them unverified leave the address with its owner", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.together(t, 20, func(i int) profile {
			if i%2 == 0 {
				return verified(fmt.Sprint("a", i), ada)
			}
			return unverified(fmt.Sprint("u", i), ada)
		})
		owners := f.count(t, "SELECT count(DISTINCT user_id) FROM identities WHERE email_verified")
		mixed := f.count(t, `SELECT count(*) FROM identities AS v JOIN identities AS u USING (user_id) WHERE v.email_verified AND NOT u.email_verified`)
		holds := f.count(t, `SELECT count(*) FROM users JOIN identities ON user_id = id WHERE users.email = ? AND NOT email_verified`, ada)
		if owners != 1 || mixed != 0 || holds != 0 {
			t.Errorf("%d owners, %d mixed accounts, %d squatters holding the address; want 1, 0, 0", owners, mixed, holds)
		}
	})
	t.Run("beside Checkouts that make users of the same address", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.together(t, 20, func(i int) profile {
			email := fmt.Sprintf("ada%d@example.com", i/2)
			if i%2 == 0 {
				if err := f.db.Exec("INSERT INTO users (email) VALUES (?) ON CONFLICT DO NOTHING", email).Error; err != nil {
					t.Errorf("checkout: %v", err)
				}
			}
			return verified(fmt.Sprint("a", i/2), email)
		})
		if n := f.count(t, "SELECT count(*) FROM users"); n != 10 {
			t.Errorf("%d users, want 10", n)
		}
	})
}

// One address that two issuers verify, twenty times at once: one identity opens an account, and the other issuer's is held
// until its owner has signed in the old way. Adding it twenty times at once adds it once.
func TestTwoIssuersOfOneAddressAtOnce(t *testing.T) {
	t.Parallel()
	f := withGoogle(t)
	first := ProviderConfig{Name: "oidc", Issuer: "https://id.example.com"}
	var mu sync.Mutex
	var held []*Held
	opened := map[int64]ProviderConfig{}
	dbtest.Concurrently(20, func(i int) {
		config := []ProviderConfig{first, other}[i%2]
		user, refused := f.arriveBy(t, config, verified("same", ada))
		mu.Lock()
		defer mu.Unlock()
		if refused != nil {
			held = append(held, refused)
		} else {
			opened[user.ID] = config
		}
	})
	if n := f.count(t, "SELECT count(*) FROM identities"); n != 1 || len(opened) != 1 || len(held) != 10 {
		t.Fatalf("%d identities, %d accounts, %d held; want 1, 1 and 10", n, len(opened), len(held))
	}
	dbtest.Concurrently(20, func(i int) {
		join := held[i%len(held)].Join
		if err := f.Join(t.Context(), SignIn{User: models.User{ID: join.UserID}, Proof: true}, join); err != nil {
			t.Error(err)
		}
	})
	if n := f.count(t, "SELECT count(*) FROM audit_log WHERE action = 'identity.link'"); n != 1 {
		t.Errorf("%d lines in the audit log, want 1", n)
	}
	for id := range opened {
		for _, config := range []ProviderConfig{first, other} {
			if user, refused := f.arriveBy(t, config, verified("same", ada)); refused != nil || user.ID != id {
				t.Errorf("%s opens user %d, %v, want %d", config.Name, user.ID, refused, id)
			}
		}
	}
}
