package ledger_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

func TestCapture(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 100)

	t.Run("charges all held credits in an entry that names the hold", func(t *testing.T) {
		held := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonResumeAnalysis,
			Metadata: json.RawMessage(`{"resume":null}`)})
		done, err := capture(t, db, held, nil)
		if err != nil || done.Captured != 10 || done.Status != models.HoldCaptured || done.Replayed {
			t.Fatalf("capture = %+v, %v; want 10 credits", done, err)
		}
		var e models.CreditTransaction
		if err := db.Take(&e, "id = ?", done.TransactionID).Error; err != nil {
			t.Fatal(err)
		}
		if e.DeltaCredits != -10 || e.Reason != models.ReasonResumeAnalysis || e.Meta.HoldID != held.ID.String() ||
			string(e.Meta.RequestMetadata) != `{"resume": null}` {
			t.Errorf("entry = %+v, want -10 credits for the hold with its metadata", e)
		}
		wantCredits(t, db, user, 90, 0)
	})
	t.Run("charges fewer and releases the rest, but never more", func(t *testing.T) {
		held := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonResumeImprovement})
		for _, n := range []models.Credits{-1, 0, 16} {
			if _, err := capture(t, db, held, amount(n)); fault.Of(err) == nil || fault.Of(err).Problem != fault.CaptureRange {
				t.Errorf("capture of %d: error = %v, want out of range", n, err)
			}
		}
		wantCredits(t, db, user, 90, 15)
		if done, err := capture(t, db, held, amount(1)); err != nil || done.Captured != 1 {
			t.Errorf("capture = %+v, %v; want 1 credit", done, err)
		}
		wantCredits(t, db, user, 89, 0)
		if again, err := capture(t, db, held, amount(1)); err != nil || !again.Replayed {
			t.Errorf("the same again = %+v, %v; want it replayed", again, err)
		}
		if _, err := capture(t, db, held, nil); !fault.Is(err, fault.HoldClosed) {
			t.Errorf("another amount: error = %v, want closed", err)
		}
		if _, err := release(t, db, held); fault.Of(err) == nil || fault.Of(err).Detail["status"] != "captured" {
			t.Errorf("release of a captured hold: error = %v, want closed, captured", err)
		}
	})
	t.Run("is refused after a release or the expiry", func(t *testing.T) {
		held := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonJobMatch})
		if done, err := release(t, db, held); err != nil || done.Status != models.HoldReleased {
			t.Fatalf("release = %+v, %v", done, err)
		}
		if again, err := release(t, db, held); err != nil || !again.Replayed {
			t.Errorf("second release = %+v, %v; want it replayed", again, err)
		}
		late := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonJobMatch})
		overdue(t, db, late.ID)
		for status, ended := range map[string]ledger.Held{"released": held, "expired": late} {
			if _, err := capture(t, db, ended, nil); fault.Of(err) == nil || fault.Of(err).Code != fault.HoldClosed ||
				fault.Of(err).Detail["status"] != status {
				t.Errorf("capture: error = %v, want closed, %s", err, status)
			}
		}
		if done, err := release(t, db, late); err != nil || done.Status != models.HoldExpired {
			t.Errorf("release of a late hold = %+v, %v; want expired", done, err)
		}
		wantCredits(t, db, user, 89, 0)
	})
	t.Run("is refused to other callers", func(t *testing.T) {
		mine := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonJobMatch, Caller: dbtest.ServiceKey(t, db)})
		if _, err := capture(t, db, mine, nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("another's capture: error = %v, want not found", err)
		}
		if _, err := release(t, db, mine); !fault.Is(err, fault.NotFound) {
			t.Errorf("another's release: error = %v, want not found", err)
		}
	})
	t.Run("works in debt, while spending is refused", func(t *testing.T) {
		debtor := rich(t, db, "eve@example.com", 15)
		held := hold(t, db, ledger.HoldOp{UserID: debtor, Feature: models.ReasonResumeImprovement})
		mustPost(t, db, ledger.Entry{UserID: debtor, Delta: -15, Reason: models.ReasonRefund})
		if err := apply(t, db, spend(debtor, models.ReasonJobMatch, "")); !fault.Is(err, fault.InsufficientCredits) {
			t.Errorf("spend: error = %v, want insufficient credits", err)
		}
		if _, err := capture(t, db, held, nil); err != nil {
			t.Errorf("capture: %v", err)
		}
		wantCredits(t, db, debtor, -15, 0)
	})
	dbtest.CheckLedger(t, db)
}

// Concurrent captures, releases and expiries end a hold once and count its credits once.
func TestHoldEndsOnce(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 1000)
	for round := range 10 {
		held := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonResumeAnalysis})
		before := balance(t, db, user)
		var captured, released atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			if i%2 == 0 {
				if _, err := capture(t, db, held, nil); err == nil {
					captured.Add(1)
				} else if !fault.Is(err, fault.HoldClosed) {
					t.Errorf("capture: %v", err)
				}
				return
			}
			if _, err := release(t, db, held); err == nil {
				released.Add(1)
			} else if !fault.Is(err, fault.HoldClosed) {
				t.Errorf("release: %v", err)
			}
		})
		want := before
		if captured.Load() > 0 {
			want -= 10
		}
		if captured.Load()+released.Load() != 10 {
			t.Errorf("round %d: %d captures and %d releases went through, want all of one kind and none of the other", round,
				captured.Load(), released.Load())
		}
		wantCredits(t, db, user, want, 0)
	}
	dbtest.CheckLedger(t, db)
}

func TestExpire(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 1000)
	late := map[uuid.UUID]bool{}
	for i := range 20 {
		held := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonResumeAnalysis})
		if i%2 == 0 {
			overdue(t, db, held.ID)
			late[held.ID] = true
		}
	}
	var ended atomic.Int64
	dbtest.Concurrently(20, func(int) {
		var freed ledger.Expired
		err := postgres.Transaction(t.Context(), db, func(tx models.Tx) (err error) {
			freed, err = ledger.Expire(tx, user)
			return err
		})
		if err != nil {
			t.Errorf("expire: %v", err)
		}
		ended.Add(freed.Holds)
	})
	if ended.Load() != int64(len(late)) {
		t.Errorf("%d holds expired, want %d", ended.Load(), len(late))
	}
	wantCredits(t, db, user, 1000, 100)
}
