package webhook

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/postgres"
)

func TestRoundTripsOfANewEvent(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	var trips atomic.Int64
	postgres.OnActivity(s.DB, func() { trips.Add(1) })
	fewest := int64(100)
	for n := range 5 { // a connection that was idle is checked first
		session := fmt.Sprintf("cs_%d", n+2)
		s.purchase = s.order(session)
		event := strings.ReplaceAll(s.completed(fmt.Sprintf("evt_%d", n+2), session, "paid"), "pi_1", "pi_"+session)
		before := trips.Load()
		s.receive(event)
		fewest = min(fewest, trips.Load()-before)
	}
	if fewest != 8 {
		t.Errorf("a new event takes %d round trips, want 8", fewest)
	}
}
