package spend_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/spend"
)

// A late payment can leave credits on a deleted account. Spends and holds of it fail, single or batched.
func TestDeletedAccountCannotSpend(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	err := db.Exec(
		`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = current_date WHERE id = ?`,
		user).Error
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Concurrently(20, func(i int) {
		var err error
		if i%2 == 0 {
			_, err = s.Spend(t.Context(), spend.Request{UserID: user, Feature: "job_match", Key: fmt.Sprint(i)})
		} else {
			_, err = s.Hold(t.Context(),
				spend.HoldRequest{Request: spend.Request{UserID: user, Feature: "job_match", Key: fmt.Sprint(i)}, TTL: time.Minute})
		}
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%d: %v, want not found", i, err)
		}
	})
	dbtest.CheckLedger(t, db)
}
