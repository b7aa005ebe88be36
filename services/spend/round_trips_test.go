package spend_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/spend"
)

// A spend begins, locks and books in one round trip, and commits in another, once it holds the lock: Commit in
// models/postgres says why not in the same.
func TestRoundTripsOfASpend(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 1000)
	var trips atomic.Int64
	postgres.OnActivity(db, func() { trips.Add(1) })
	fewest := int64(100)
	for n := range 5 { // a connection that was idle is checked first, and prepares its statements once
		before := trips.Load()
		request := spend.Request{UserID: user, Feature: "job_match", Key: fmt.Sprint("k", n)}
		if _, err := s.Spend(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		fewest = min(fewest, trips.Load()-before)
	}
	if fewest != 2 {
		t.Errorf("a spend takes %d round trips, want 2", fewest)
	}
}
