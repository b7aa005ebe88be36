package spend_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

func request(caller uuid.UUID, user int64, feature, key string) spend.HoldRequest {
	return spend.HoldRequest{Request: spend.Request{Caller: caller, UserID: user, Feature: feature, Key: key}}
}

func TestHold(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	caller := dbtest.ServiceKey(t, db)

	t.Run("answers a repeat with the original hold, even after its capture", func(t *testing.T) {
		r := request(caller, user, "resume_analysis", "a")
		r.Metadata = json.RawMessage(`{"b": 1e3, "a": "ü<"}`)
		first, err := s.Hold(ctx, r)
		if err != nil || first.Credits != 10 || first.Status != models.HoldOpen || *first.APIKeyID != caller {
			t.Fatalf("hold = %+v, %v; want 10 credits, open, the caller's", first, err)
		}
		if life := first.ExpiresAt.Sub(first.CreatedAt); life != spend.DefaultTTL {
			t.Errorf("it lasts %v, want %v", life, spend.DefaultTTL)
		}
		if _, err := s.Capture(ctx, caller, first.ID.String(), nil); err != nil {
			t.Fatal(err)
		}
		again, err := s.Hold(ctx, r)
		if err != nil || !again.Replayed {
			t.Fatalf("repeat = %+v, %v; want a replay", again, err)
		}
		again.Replayed = false
		was, _ := json.Marshal(first)
		is, _ := json.Marshal(again)
		if string(was) != string(is) {
			t.Errorf("repeat  = %s\nwant the first, %s", is, was)
		}
		if now, err := s.Find(ctx, caller, first.ID.String()); err != nil || now.Status != models.HoldCaptured {
			t.Errorf("the hold itself = %+v, %v; want captured", now, err)
		}
	})
	t.Run("refuses the key for anything else", func(t *testing.T) {
		other := request(caller, user, "job_match", "a")
		longer := request(caller, user, "resume_analysis", "a")
		longer.TTL, longer.Metadata = time.Hour, json.RawMessage(`{"b": 1e3, "a": "ü<"}`)
		for name, r := range map[string]spend.HoldRequest{"another feature": other, "another TTL": longer} {
			if _, err := s.Hold(ctx, r); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s: error = %v, want conflict", name, err)
			}
		}
		if _, err := s.Spend(ctx, other.Request); !fault.Is(err, fault.Conflict) {
			t.Errorf("a spend under a hold's key: error = %v, want conflict", err)
		}
	})
	t.Run("accepts the shortest and the longest TTL", func(t *testing.T) {
		for _, ttl := range []time.Duration{spend.MinTTL, spend.MaxTTL} {
			r := request(caller, user, "job_match", "")
			r.TTL = ttl
			if held, err := s.Hold(ctx, r); err != nil || held.ExpiresAt.Sub(held.CreatedAt) != ttl {
				t.Errorf("hold for %v lasts %v (%v)", ttl, held.ExpiresAt.Sub(held.CreatedAt), err)
			}
		}
	})
	t.Run("refuses a TTL out of range and malformed ids", func(t *testing.T) {
		for _, ttl := range []time.Duration{-time.Second, time.Second - 1, 24*time.Hour + 1} {
			r := request(caller, user, "job_match", "")
			r.TTL = ttl
			if _, err := s.Hold(ctx, r); fault.Of(err) == nil || fault.Of(err).Problem != fault.TTLRange {
				t.Errorf("%v: error = %v, want out of range", ttl, err)
			}
		}
		for _, id := range []string{"", "1", "1 or 1=1", strings.ToUpper(uuid.NewString()), "{" + uuid.NewString() + "}",
			uuid.NewString()} {
			if _, err := s.Find(ctx, caller, id); !fault.Is(err, fault.NotFound) {
				t.Errorf("find %q: error = %v, want not found", id, err)
			}
			if _, err := s.Capture(ctx, caller, id, nil); !fault.Is(err, fault.NotFound) {
				t.Errorf("capture %q: error = %v, want not found", id, err)
			}
		}
	})
	t.Run("is hidden from other callers", func(t *testing.T) {
		held, err := s.Hold(ctx, request(caller, user, "job_match", ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []uuid.UUID{uuid.Nil, dbtest.ServiceKey(t, db)} {
			if _, err := s.Find(ctx, other, held.ID.String()); !fault.Is(err, fault.NotFound) {
				t.Errorf("find: error = %v, want not found", err)
			}
			if _, err := s.Release(ctx, other, held.ID.String()); !fault.Is(err, fault.NotFound) {
				t.Errorf("release: error = %v, want not found", err)
			}
		}
	})
	dbtest.CheckLedger(t, db)
}

func TestExpireDue(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	log := &lines{}
	s.Log = slog.New(slog.NewTextHandler(log, nil))
	for range 6 {
		if _, err := s.Hold(ctx, request(uuid.Nil, user, "resume_analysis", "")); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Exec(`UPDATE holds SET expires_at = now() WHERE id IN (SELECT id FROM holds ORDER BY id LIMIT 4)`).
		Error; err != nil {
		t.Fatal(err)
	}
	var ended atomic.Int64
	dbtest.Concurrently(20, func(int) {
		n, err := s.ExpireDue(ctx)
		if err != nil {
			t.Errorf("expire: %v", err)
		}
		ended.Add(n)
	})
	var after models.User
	if err := db.Take(&after, user).Error; err != nil || after.CreditsHeld != 20 || ended.Load() != 4 {
		t.Errorf("%d holds expired, %d credits held (%v); want 4 and 20", ended.Load(), after.CreditsHeld, err)
	}
	if all, full := log.with("holds expired"), log.with("holds=4 credits=40"); all != 1 || full != 1 {
		t.Errorf("%d lines of expired holds, %d with 4 holds of 40 credits; want one", all, full)
	}
	dbtest.CheckLedger(t, db)
}

// One sweep expires the holds of more users than it reads at once.
func TestExpireDueOfManyUsers(t *testing.T) {
	t.Parallel()
	s, db, _ := setUp(t, 100)
	var users []int64
	if err := db.Raw(`INSERT INTO users (email, locale) SELECT 'user' || n || '@example.com', 'en'
		FROM generate_series(1, ?) n RETURNING id`, spend.SweepBatch+1).Scan(&users).Error; err != nil {
		t.Fatal(err)
	}
	err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
		var grants, holds []ledger.Op
		for _, user := range users {
			grants = append(grants, &ledger.PostOp{Entry: ledger.Entry{UserID: user, Delta: 5, Reason: models.ReasonManual}})
			holds = append(holds, &ledger.HoldOp{ID: uuid.Must(uuid.NewV7()), UserID: user, Feature: "job_match",
				TTL: spend.MinTTL})
		}
		if err := ledger.Apply(tx, grants...); err != nil {
			return err
		}
		if err := ledger.Apply(tx, holds...); err != nil {
			return err
		}
		return tx.Exec(`UPDATE holds SET expires_at = now()`).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.ExpireDue(t.Context()); err != nil || n != int64(len(users)) {
		t.Errorf("%d holds expired (%v), want %d", n, err, len(users))
	}
	dbtest.CheckLedger(t, db)
}

// A changed price applies to later requests only; open holds and repeats are unaffected.
func TestPriceOfLaterHolds(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	before, err := s.Hold(ctx, request(uuid.Nil, user, "job_match", "before"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errorsOf(db, `UPDATE feature_prices SET credits = 7 WHERE feature = 'job_match'`,
		`INSERT INTO feature_prices (feature, credits, label_en, label_de) VALUES ('cover_letter', 3, 'Cover letter', 'Anschreiben')`); err != nil {
		t.Fatal(err)
	}
	if done, err := s.Capture(ctx, uuid.Nil, before.ID.String(), nil); err != nil || done.Captured != 5 {
		t.Errorf("capture = %+v, %v; want the 5 credits that were held", done, err)
	}
	if again, err := s.Hold(ctx, request(uuid.Nil, user, "job_match", "before")); err != nil || again.Credits != 5 {
		t.Errorf("repeat = %+v, %v; want 5 credits", again, err)
	}
	for feature, credits := range map[string]models.Credits{"job_match": 7, "cover_letter": 3} {
		if held, err := s.Hold(ctx, request(uuid.Nil, user, feature, "")); err != nil || held.Credits != credits {
			t.Errorf("%s holds %d credits (%v), want %d", feature, held.Credits, err, credits)
		}
		if posted, err := s.Spend(ctx, request(uuid.Nil, user, feature, "").Request); err != nil ||
			posted.DeltaCredits != -credits {
			t.Errorf("%s takes %d credits (%v), want %d", feature, posted.DeltaCredits, err, -credits)
		}
	}
	dbtest.CheckLedger(t, db)
}

func errorsOf(db *gorm.DB, statements ...string) error {
	for _, statement := range statements {
		if err := db.Exec(statement).Error; err != nil {
			return err
		}
	}
	return nil
}
