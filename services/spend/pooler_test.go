package spend_test

import (
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/spend"
)

// Behind a pooler, statements are not prepared and the database infers each value's type from the statement text.
func TestBehindAPooler(t *testing.T) {
	t.Parallel()
	_, db, user := setUp(t, 100)
	pooled, err := postgres.Open(dbtest.URLOf(db)+"&pgbouncer=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(pooled) })
	s := &spend.Service{DB: pooled, Log: slog.New(slog.DiscardHandler)}
	ctx := t.Context()
	for _, caller := range []uuid.UUID{uuid.Nil, dbtest.ServiceKey(t, db)} {
		r := request(caller, user, "job_match", "spend")
		r.Metadata = json.RawMessage(`{"resume":7}`)
		for _, replayed := range []bool{false, true} {
			if posted, err := s.Spend(ctx, r.Request); err != nil || posted.DeltaCredits != -5 || posted.Replayed != replayed {
				t.Errorf("spend = %+v, %v", posted, err)
			}
		}
		r.Key = "hold"
		for _, replayed := range []bool{false, true} {
			if held, err := s.Hold(ctx, r); err != nil || held.Credits != 5 || held.Replayed != replayed {
				t.Errorf("hold = %+v, %v", held, err)
			}
		}
		var id string
		if err := db.Raw(`SELECT id FROM holds WHERE status = 'open'`).Scan(&id).Error; err != nil {
			t.Fatal(err)
		}
		few := models.Credits(2)
		if done, err := s.Capture(ctx, caller, id, &few); err != nil || done.Captured != 2 {
			t.Errorf("capture = %+v, %v", done, err)
		}
		r.Key = "another"
		other, err := s.Hold(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if done, err := s.Release(ctx, caller, other.ID.String()); err != nil || done.Status != models.HoldReleased {
			t.Errorf("release = %+v, %v", done, err)
		}
	}
	if _, err := s.ExpireDue(ctx); err != nil {
		t.Errorf("expire: %v", err)
	}
	if _, err := s.Account(ctx, 0, "new@example.com", true); err != nil {
		t.Errorf("account: %v", err)
	}
	if _, err := s.Features(ctx); err != nil {
		t.Errorf("features: %v", err)
	}
	dbtest.CheckLedger(t, db)
}
