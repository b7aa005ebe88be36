package gate_test

import (
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
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
