package spend_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/spend"
)

func TestResultOfTheWork(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	newHold := func(metadata string) string {
		t.Helper()
		r := request(uuid.Nil, user, "job_match", "")
		r.Metadata = json.RawMessage(metadata)
		held, err := s.Hold(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return held.ID.String()
	}
	good, bad := spend.Result{Status: 200, Milliseconds: 1234}, spend.Result{Milliseconds: 235_000}

	t.Run("joins the metadata of a captured hold and of its entry", func(t *testing.T) {
		id := newHold(`{"route":"POST /letter"}`)
		const want = `{"ms": 1234, "route": "POST /letter", "status": 200}`
		for _, r := range []spend.Result{good, bad} { // the first result stands
			done, err := s.CaptureWith(t.Context(), uuid.Nil, id, r)
			if err != nil || string(done.Metadata) != want || done.Captured != 5 {
				t.Errorf("capture = %d credits with %s, %v; want 5 with %s", done.Captured, done.Metadata, err, want)
			}
		}
		var e models.CreditTransaction
		err := db.Take(&e, "meta ->> 'hold_id' = ?", id).Error
		if err != nil || string(e.Meta.RequestMetadata) != want {
			t.Errorf("metadata of the entry = %s, %v; want %s", e.Meta.RequestMetadata, err, want)
		}
	})
	t.Run("joins the metadata of a released hold, also of a late one", func(t *testing.T) {
		for status, before := range map[models.HoldStatus]string{
			models.HoldReleased: `SELECT 1`, models.HoldExpired: `UPDATE holds SET expires_at = now() WHERE status = 'open'`,
		} {
			id := newHold(`{"route":"POST /letter"}`)
			if err := errorsOf(db, before); err != nil {
				t.Fatal(err)
			}
			const want = `{"ms": 235000, "route": "POST /letter"}`
			done, err := s.ReleaseWith(t.Context(), uuid.Nil, id, bad)
			if err != nil || done.Status != status || string(done.Metadata) != want {
				t.Errorf("release = %s with %s, %v; want %s with %s", done.Status, done.Metadata, err, status, want)
			}
		}
	})
	t.Run("leaves metadata alone where there is none", func(t *testing.T) {
		id := newHold("")
		if done, err := s.Capture(t.Context(), uuid.Nil, id, nil); err != nil || string(done.Metadata) != `{}` {
			t.Errorf("capture = %s, %v; want {}", done.Metadata, err)
		}
		var e models.CreditTransaction
		if err := db.Take(&e, "meta ->> 'hold_id' = ?", id).Error; err != nil || e.Meta.RequestMetadata != nil {
			t.Errorf("metadata of the entry = %s, %v; want none", e.Meta.RequestMetadata, err)
		}
	})
	dbtest.CheckLedger(t, db)
}

// The results of twenty holds that end at once do not mix.
func TestResultsOfABatch(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	dbtest.Concurrently(20, func(i int) {
		held, err := s.Hold(t.Context(), spend.HoldRequest{TTL: time.Minute,
			Request: spend.Request{UserID: user, Feature: "job_match", Metadata: fmt.Appendf(nil, `{"n":%d}`, i)}})
		if err != nil {
			t.Errorf("hold %d: %v", i, err)
			return
		}
		end := s.CaptureWith
		if i%2 == 1 {
			end = s.ReleaseWith
		}
		done, err := end(t.Context(), uuid.Nil, held.ID.String(), spend.Result{Status: 200, Milliseconds: int64(i)})
		if want := fmt.Sprintf(`{"n": %d, "ms": %d, "status": 200}`, i, i); err != nil || string(done.Metadata) != want {
			t.Errorf("hold %d ends with %s, %v; want %s", i, done.Metadata, err, want)
		}
	})
	wantUser(t, db, user, 50, 0)
	dbtest.CheckLedger(t, db)
}
