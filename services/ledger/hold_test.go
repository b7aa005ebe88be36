package ledger_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

func TestHold(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 40)

	t.Run("reserves what the feature costs and books nothing", func(t *testing.T) {
		held := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonResumeImprovement,
			Metadata: json.RawMessage(`{"resume":7}`)})
		if held.Credits != 15 || held.Status != models.HoldOpen || string(held.Metadata) != `{"resume": 7}` {
			t.Errorf("hold = %+v, want 15 credits, open, with its metadata", held)
		}
		wantCredits(t, db, user, 40, 15)
	})
	t.Run("ends at the moment that it names", func(t *testing.T) {
		until := models.Now().AddDate(0, 0, 14)
		held := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonPeriod, Credits: 1, TTL: time.Minute,
			Until: until.In(time.FixedZone("", 3600))})
		if !held.ExpiresAt.Equal(until) {
			t.Errorf("hold ends at %s, want %s", held.ExpiresAt, until)
		}
		if _, err := release(t, db, held); err != nil {
			t.Error(err)
		}
	})
	t.Run("refuses more than is available", func(t *testing.T) {
		hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonResumeImprovement})
		_, err := tryHold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonResumeImprovement, Key: "later"})
		if f := fault.Of(err); f == nil || f.Code != fault.InsufficientCredits || f.Detail["missing"] != int64(5) {
			t.Errorf("error = %v, want 5 credits missing", err)
		}
		wantCredits(t, db, user, 40, 30)
		var kept int64
		if err := db.Raw(`SELECT count(*) FROM holds WHERE idempotency_key = 'later'`).Scan(&kept).Error; err != nil ||
			kept != 0 {
			t.Errorf("a refusal stored its key (%v)", err)
		}
	})
	t.Run("refuses features that are unknown or switched off, and unknown users", func(t *testing.T) {
		if err := db.Exec(`INSERT INTO feature_prices (feature, credits, active) VALUES ('retired', 1, false)`).
			Error; err != nil {
			t.Fatal(err)
		}
		for _, feature := range []models.Reason{"retired", "free_lunch"} {
			if _, err := tryHold(t, db, ledger.HoldOp{UserID: user, Feature: feature}); fault.Of(err) == nil ||
				fault.Of(err).Problem != fault.FeatureUnknown {
				t.Errorf("%s: error = %v, want an unknown feature", feature, err)
			}
		}
		if _, err := tryHold(t, db, ledger.HoldOp{UserID: 999, Feature: models.ReasonJobMatch}); !fault.Is(err,
			fault.NotFound) {
			t.Errorf("error = %v, want not found", err)
		}
	})
	t.Run("returns the same hold for a caller's repeated key", func(t *testing.T) {
		service := dbtest.ServiceKey(t, db)
		order := ledger.HoldOp{UserID: user, Feature: models.ReasonJobMatch, Key: "k", RequestHash: "a"}
		first := hold(t, db, order)
		again := hold(t, db, order)
		if !again.Replayed || again.ID != first.ID {
			t.Errorf("repeat = %+v, want hold %s again", again, first.ID)
		}
		order.RequestHash = "b"
		if _, err := tryHold(t, db, order); !fault.Is(err, fault.Conflict) {
			t.Errorf("another request with the key: error = %v, want conflict", err)
		}
		order.Caller, order.RequestHash = service, "a"
		if other := hold(t, db, order); other.Replayed || other.ID == first.ID {
			t.Errorf("another caller's hold = %+v, want one of its own", other)
		}
		wantCredits(t, db, user, 40, 40)
	})
	t.Run("shares its keys with spending", func(t *testing.T) {
		poor := rich(t, db, "bob@example.com", 100)
		hold(t, db, ledger.HoldOp{UserID: poor, Feature: models.ReasonJobMatch, Key: "held"})
		mustPost(t, db, ledger.Entry{UserID: poor, Delta: -1, Reason: models.ReasonManual,
			Meta: models.Meta{IdempotencyKey: "spent"}})
		if _, err := tryHold(t, db, ledger.HoldOp{UserID: poor, Feature: models.ReasonJobMatch, Key: "spent"}); !fault.Is(err,
			fault.Conflict) {
			t.Errorf("holding under a key of a spend: error = %v, want conflict", err)
		}
		err := apply(t, db, spend(poor, models.ReasonJobMatch, "held"))
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("spending under a key of a hold: error = %v, want conflict", err)
		}
	})
	dbtest.CheckLedger(t, db)
}

// Two replicas use one key concurrently: the second waits for the user's lock, then must see the first one's row.
func TestKeyUsedWhileWaiting(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 1000)
	undo := errors.New("undone")
	for _, first := range []struct {
		name string
		work func(tx models.Tx) error
		want fault.Code // of the second; empty for a replay
	}{
		{"a spend", func(tx models.Tx) error {
			return applyIn(tx, spend(user, models.ReasonJobMatch, "a spend"))
		}, ""},
		{"a hold", func(tx models.Tx) error {
			return applyIn(tx, &ledger.HoldOp{ID: uuid.Must(uuid.NewV7()), UserID: user, Feature: models.ReasonJobMatch,
				TTL: time.Minute, Key: "a hold"})
		}, fault.Conflict},
		{"nothing that stays", func(tx models.Tx) error {
			return errors.Join(applyIn(tx, spend(user, models.ReasonJobMatch, "nothing that stays")), undo)
		}, ""},
	} {
		t.Run(first.name, func(t *testing.T) {
			written, waiting := make(chan struct{}), make(chan error, 1)
			err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
				err := first.work(tx)
				close(written)
				go func() {
					waiting <- apply(t, db, spend(user, models.ReasonJobMatch, first.name))
				}()
				<-written
				dbtest.WaitForBlocked(t, db, 1)
				return err
			})
			if err != nil && !errors.Is(err, undo) {
				t.Fatal(err)
			}
			if err := <-waiting; (first.want == "") != (err == nil) || first.want != "" && !fault.Is(err, first.want) {
				t.Errorf("second request: error = %v, want %q", err, first.want)
			}
			var uses int64
			if err := db.Raw(`SELECT (SELECT count(*) FROM credit_transactions WHERE meta ->> 'idempotency_key' = @key)
				+ (SELECT count(*) FROM holds WHERE idempotency_key = @key)`, map[string]any{"key": first.name}).Scan(&uses).Error; err != nil || uses != 1 {
				t.Errorf("the key was used %d times (%v), want once", uses, err)
			}
		})
	}
	dbtest.CheckLedger(t, db)
}
