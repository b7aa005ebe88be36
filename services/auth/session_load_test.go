package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Requests that share a statement get their own account each. A session that has ended is not found in the next one, at
// no server.
func TestConcurrentLoads(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	other := f.Service.Sessions() // of another server
	keys, users := make([]string, 20), make([]int64, 20)
	for i := range keys {
		keys[i], users[i] = f.openSession(t, fmt.Sprintf("user %d", i), "")
	}
	dbtest.Concurrently(20, func(i int) {
		for n := range 6 {
			found, err := []*Sessions{f.Sessions, other}[n%2].Load(t.Context(), keys[i])
			if err != nil || found == nil || found.Account.ID != users[i] || found.Session.UserID != users[i] ||
				found.Session.Key != keys[i] {
				t.Errorf("session %d: got %+v, %v, want that of user %d", i, found, err, users[i])
			}
		}
		if err := f.EndAll(t.Context(), users[i]); err != nil {
			t.Error(err)
		}
		for _, server := range []*Sessions{other, f.Sessions} {
			if found, err := server.Load(t.Context(), keys[i]); err != nil || found != nil {
				t.Errorf("session %d after its end: got %+v, %v, want none", i, found, err)
			}
		}
	})
}

// The account belongs to its request: what a page changes in it, another request of the session does not see.
func TestLoadsOfOneSessionShareNoAccount(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	key, _ := f.openSession(t, "a", "")
	jobs := []*load{{hashes: f.keyHashes(key)}, {hashes: f.keyHashes(key)}}
	f.loadBatch(t.Context(), loadSQL, jobs)
	if jobs[0].found == nil || jobs[1].found == nil || jobs[0].found == jobs[1].found {
		t.Errorf("got %p and %p, want an account each", jobs[0].found, jobs[1].found)
	}
}

func TestACanceledRequestFailsNoOther(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	key, _ := f.openSession(t, "a", "")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	dbtest.Concurrently(20, func(i int) {
		ctx := t.Context()
		if i%2 == 0 {
			ctx = canceled
		}
		found, err := f.Load(ctx, key)
		if err != nil && (i%2 == 1 || !errors.Is(err, context.Canceled)) || err == nil && found == nil {
			t.Errorf("request %d: got %v, %v, want the session", i, found, err)
		}
	})
}

func TestADeletedAccountHasNoSession(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	key, user := f.openSession(t, "a", "")
	// a session that a deletion has overlooked
	if err := f.fixture.db.Exec(`UPDATE users SET email = NULL, name = '', locale = '', delete_after = now(), deleted_at = now() WHERE id = ?`, user).Error; err != nil {
		t.Fatal(err)
	}
	wantLive(t, f.Sessions, key, false)
}
