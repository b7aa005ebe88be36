package gate_test

import (
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

func TestTenantID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	seen := map[string]bool{}
	for _, user := range []int64{f.user, dbtest.User(t, f.db, "bob@example.com").ID} {
		first, err := f.replicas[0].TenantID(t.Context(), user)
		if err != nil || !regexp.MustCompile(`^[a-z0-9]{26}$`).MatchString(first) || seen[first] {
			t.Errorf("tenant id = %q, %v; want 26 letters and digits of its own", first, err)
		}
		seen[first] = true
		for _, s := range f.replicas {
			if again, err := s.TenantID(t.Context(), user); again != first || err != nil {
				t.Errorf("next call = %q, %v; want %q for ever", again, err, first)
			}
		}
	}
	if id, err := f.replicas[0].TenantID(t.Context(), 999); !fault.Is(err, fault.NotFound) {
		t.Errorf("tenant id of an unknown user = %q, %v; want not found", id, err)
	}
}

func TestTwentyFirstCallsAgreeOnATenantID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for round := range 5 {
		user := dbtest.User(t, f.db, fmt.Sprintf("user%d@example.com", round)).ID
		var ids sync.Map
		dbtest.Concurrently(20, func(i int) {
			id, err := f.replicas[i%2].TenantID(t.Context(), user)
			if err != nil {
				t.Errorf("call %d: %v", i, err)
			}
			ids.Store(id, true)
		})
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("twenty calls got %d ids, want 1", n)
		}
	}
}

// A user's first request that overlaps the deletion of their account gets no tenant id: the deletion would not know it,
// so its resumes would stay.
func TestFirstCallDuringADeletionGetsNoTenantID(t *testing.T) {
	t.Parallel()
	for i := range 2 {
		f := newFixture(t)
		f.exec(`INSERT INTO sessions (key_hash, user_id, expires_at, last_seen_at) VALUES ('here', ?, now(), now())`, f.user)
		var calls sync.WaitGroup
		f.must(postgres.Transaction(t.Context(), f.db, func(tx models.Tx) error {
			// Delete locks the user, looks for tenant ids, and then waits for this session.
			if err := tx.Exec(`SELECT FROM sessions WHERE key_hash = 'here' FOR UPDATE`).Error; err != nil {
				return err
			}
			calls.Go(func() {
				if err := f.accounts().Delete(t.Context(), f.user); err != nil {
					t.Errorf("delete: %v", err)
				}
			})
			dbtest.WaitForBlocked(t, f.db, 1)
			calls.Go(func() {
				if id, err := f.replicas[i].TenantID(t.Context(), f.user); !fault.Is(err, fault.NotFound) {
					t.Errorf("tenant id = %q, %v; want not found", id, err)
				}
			})
			dbtest.WaitForBlocked(t, f.db, 2)
			return nil
		}))
		calls.Wait()
		if n := f.rows("gate_users"); n != 0 {
			t.Errorf("%d tenant ids of a deleted account, want 0", n)
		}
	}
}
