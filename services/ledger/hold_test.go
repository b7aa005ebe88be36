package ledger_test

import (
	"encoding/json"
	"errors"
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
)

// hold makes a hold and fails the test if the ledger refuses it.
func hold(t *testing.T, db *gorm.DB, op ledger.HoldOp) ledger.Held {
	t.Helper()
	held, err := tryHold(t, db, op)
	if err != nil {
		t.Fatalf("hold: %v", err)
	}
	return held
}

func tryHold(t *testing.T, db *gorm.DB, op ledger.HoldOp) (ledger.Held, error) {
	t.Helper()
	op.ID = uuid.Must(uuid.NewV7())
	if op.TTL == 0 {
		op.TTL = time.Minute
	}
	err := apply(t, db, &op)
	return op.Held, err
}

// apply applies one operation in a transaction of its own.
func apply(t *testing.T, db *gorm.DB, op ledger.Op) error {
	t.Helper()
	return postgres.Transaction(t.Context(), db, func(tx models.Tx) error { return applyIn(tx, op) })
}

// applyIn applies one operation and returns the fault that refused it.
func applyIn(tx models.Tx, op ledger.Op) error {
	if err := ledger.Apply(tx, op); err != nil {
		return err
	}
	return op.Err()
}

// spend returns the operation that charges a feature's price.
func spend(user int64, feature models.Reason, key string) *ledger.PostOp {
	return &ledger.PostOp{Entry: ledger.Entry{UserID: user, Reason: feature, Meta: models.Meta{IdempotencyKey: key}}}
}

func capture(t *testing.T, db *gorm.DB, held ledger.Held, credits *models.Credits) (ledger.Held, error) {
	t.Helper()
	op := &ledger.CaptureOp{UserID: held.UserID, ID: held.ID, Credits: credits}
	err := apply(t, db, op)
	return op.Held, err
}

func release(t *testing.T, db *gorm.DB, held ledger.Held) (ledger.Held, error) {
	t.Helper()
	op := &ledger.ReleaseOp{UserID: held.UserID, ID: held.ID}
	err := apply(t, db, op)
	return op.Held, err
}

// wantCredits checks a user's balance and held credits.
func wantCredits(t *testing.T, db *gorm.DB, userID int64, balance, held models.Credits) {
	t.Helper()
	var user models.User
	if err := db.Take(&user, "id = ?", userID).Error; err != nil {
		t.Fatal(err)
	}
	if user.CreditsBalance != balance || user.CreditsHeld != held {
		t.Errorf("balance = %d, held = %d credits; want %d and %d", user.CreditsBalance, user.CreditsHeld, balance, held)
	}
}

func amount(n models.Credits) *models.Credits { return &n }

// overdue moves a hold's expiry into the past. The database's trigger allows no other change of its terms.
func overdue(t *testing.T, db *gorm.DB, id uuid.UUID) {
	t.Helper()
	if err := db.Exec(`UPDATE holds SET expires_at = now() - interval '1 second' WHERE id = ?`, id).Error; err != nil {
		t.Fatal(err)
	}
}

func rich(t *testing.T, db *gorm.DB, email string, credits models.Credits) int64 {
	t.Helper()
	user := dbtest.User(t, db, email)
	mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: credits, Reason: models.ReasonManual})
	return user.ID
}

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
		service := key(t, db)
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

// key stores a service key that no well-formed plaintext matches.
func key(t *testing.T, db *gorm.DB) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	err := db.Exec(
		`INSERT INTO api_keys (id, name, prefix, key_hash, scopes) VALUES (?, 'Test', 'rmc_test', sha256(?::text::bytea), ARRAY['spend'])`,
		id, id.String()).Error
	if err != nil {
		t.Fatal(err)
	}
	return id
}

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
		if done, err := capture(t, db, held, amount(4)); err != nil || done.Captured != 4 {
			t.Errorf("capture = %+v, %v; want 4 credits", done, err)
		}
		wantCredits(t, db, user, 86, 0)
		if again, err := capture(t, db, held, amount(4)); err != nil || !again.Replayed {
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
		wantCredits(t, db, user, 86, 0)
	})
	t.Run("is refused to other callers", func(t *testing.T) {
		mine := hold(t, db, ledger.HoldOp{UserID: user, Feature: models.ReasonJobMatch, Caller: key(t, db)})
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
