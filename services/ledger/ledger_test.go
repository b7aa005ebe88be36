package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func post(t *testing.T, db *gorm.DB, e ledger.Entry) (ledger.Posted, error) {
	t.Helper()
	var posted ledger.Posted
	err := postgres.Transaction(context.Background(), db, func(tx models.Tx) error {
		var err error
		posted, err = ledger.Post(tx, e)
		return err
	})
	return posted, err
}

func mustPost(t *testing.T, db *gorm.DB, e ledger.Entry) ledger.Posted {
	t.Helper()
	posted, err := post(t, db, e)
	if err != nil {
		t.Fatalf("post %+v: %v", e, err)
	}
	return posted
}

func balance(t *testing.T, db *gorm.DB, userID int64) models.Credits {
	t.Helper()
	var user models.User
	if err := db.Take(&user, "id = ?", userID).Error; err != nil {
		t.Fatal(err)
	}
	return user.CreditsBalance
}

func TestPost(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com")

	t.Run("changes the balance with the entry", func(t *testing.T) {
		posted := mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: 500, Reason: models.ReasonManual})
		if posted.BalanceAfter != 500 || balance(t, db, user.ID) != 500 {
			t.Errorf("balance after = %d and %d credits, want 500", posted.BalanceAfter, balance(t, db, user.ID))
		}
		if posted.StripeEventID != nil {
			t.Errorf("event = %q, want none", *posted.StripeEventID)
		}
	})
	t.Run("refuses to spend more than is available", func(t *testing.T) {
		for range 33 { // 15 each
			hold(t, db, ledger.HoldOp{UserID: user.ID, Feature: models.ReasonResumeImprovement})
		}
		_, err := post(t, db, ledger.Entry{UserID: user.ID, Delta: -10, Reason: models.ReasonResumeAnalysis})
		f := fault.Of(err)
		if f == nil || f.Code != fault.InsufficientCredits {
			t.Fatalf("error = %v, want insufficient credits", err)
		}
		if f.Detail["required"] != int64(10) || f.Detail["available"] != int64(5) || f.Detail["missing"] != int64(5) {
			t.Errorf("detail = %v, want required 10, available 5, missing 5", f.Detail)
		}
		if got := balance(t, db, user.ID); got != 500 {
			t.Errorf("balance = %d credits after a refusal, want 500", got)
		}
	})
	t.Run("lets a refund overdraw", func(t *testing.T) {
		posted := mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: -600, Reason: models.ReasonRefund})
		if posted.BalanceAfter != -100 {
			t.Errorf("balance after = %d credits, want -100", posted.BalanceAfter)
		}
	})
	t.Run("refuses to spend in debt", func(t *testing.T) {
		if _, err := post(t, db, ledger.Entry{UserID: user.ID, Delta: -5, Reason: models.ReasonJobMatch}); !fault.Is(err,
			fault.InsufficientCredits) {
			t.Errorf("error = %v, want insufficient credits", err)
		}
	})
	t.Run("refuses unknown users", func(t *testing.T) {
		if _, err := post(t, db, ledger.Entry{UserID: 9999, Delta: 5, Reason: models.ReasonManual}); !fault.Is(err,
			fault.NotFound) {
			t.Errorf("error = %v, want not found", err)
		}
	})
}

func TestPostIdempotency(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	ada, bob := dbtest.User(t, db, "ada@example.com"), dbtest.User(t, db, "bob@example.com")
	entry := ledger.Entry{UserID: ada.ID, Delta: 25, Reason: models.ReasonManual,
		Meta: models.Meta{IdempotencyKey: "k", RequestHash: "h"}}
	first := mustPost(t, db, entry)

	t.Run("books a repeated key once", func(t *testing.T) {
		again := mustPost(t, db, entry)
		if !again.Replayed || again.ID != first.ID || again.BalanceAfter != 25 {
			t.Errorf("repeat = %+v, want the first entry %d again", again, first.ID)
		}
	})
	t.Run("refuses the key for another request", func(t *testing.T) {
		other := entry
		other.Meta.RequestHash = "other"
		if _, err := post(t, db, other); !fault.Is(err, fault.Conflict) {
			t.Errorf("error = %v, want conflict", err)
		}
	})
	t.Run("keeps users apart", func(t *testing.T) {
		other := entry
		other.UserID = bob.ID
		if posted := mustPost(t, db, other); posted.Replayed {
			t.Error("another user's key counted as a repeat")
		}
	})
	t.Run("posts twenty concurrent repeats once", func(t *testing.T) {
		same := entry
		same.Meta.IdempotencyKey = "twenty"
		var fresh atomic.Int64
		dbtest.Concurrently(20, func(int) {
			if posted, err := post(t, db, same); err != nil {
				t.Errorf("post: %v", err)
			} else if !posted.Replayed {
				fresh.Add(1)
			}
		})
		if fresh.Load() != 1 {
			t.Errorf("%d of 20 posted, want 1", fresh.Load())
		}
	})
	dbtest.CheckLedger(t, db)
}

func TestTwentySpendAtOnce(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com")
	mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: 100, Reason: models.ReasonManual})
	var spent, refused atomic.Int64
	dbtest.Concurrently(20, func(int) {
		_, err := post(t, db, ledger.Entry{UserID: user.ID, Delta: -10, Reason: models.ReasonResumeAnalysis})
		switch {
		case err == nil:
			spent.Add(1)
		case fault.Is(err, fault.InsufficientCredits):
			refused.Add(1)
		default:
			t.Errorf("post: %v", err)
		}
	})
	if spent.Load() != 10 || refused.Load() != 10 || balance(t, db, user.ID) != 0 {
		t.Errorf("%d spent, %d refused, balance %d; want 10, 10 and 0", spent.Load(), refused.Load(), balance(t, db, user.ID))
	}
	dbtest.CheckLedger(t, db)
}

// Twenty goroutines post random entries for several users. Afterwards every balance is the sum of its entries and the
// sum of the acknowledged posts, and no spend overdrew an account.
func TestLedgerProperty(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const users, workers = 7, 20
	steps := dbtest.Depth(40, 1000)
	ids := make([]int64, users)
	var want [users]atomic.Int64
	for i := range ids {
		ids[i] = dbtest.User(t, db, fmt.Sprintf("user%d@example.com", i)).ID
	}
	streams := make([]*rand.Rand, workers)
	source := rand.New(rand.NewPCG(seed, 0))
	for i := range streams {
		streams[i] = rand.New(rand.NewPCG(source.Uint64(), source.Uint64()))
	}
	dbtest.Concurrently(workers, func(worker int) {
		random := streams[worker]
		for step := range steps {
			i := random.IntN(users)
			e := ledger.Entry{UserID: ids[i]}
			switch random.IntN(6) {
			case 0:
				e.Delta, e.Reason = models.Credits(random.IntN(200)+1), models.ReasonManual
			case 1:
				e.Delta, e.Reason = models.Credits(random.IntN(200)+1), models.ReasonPurchase
				e.StripeEventID = fmt.Sprintf("evt_%d_%d", worker, step)
			case 2:
				e.Delta, e.Reason = -models.Credits(random.IntN(50)+1), models.ReasonRefund
			case 3:
				e.Delta, e.Reason = -5, models.ReasonJobMatch
				e.Meta = models.Meta{IdempotencyKey: fmt.Sprintf("key %d", random.IntN(30)), RequestHash: "same"}
			default:
				e.Delta, e.Reason = -models.Credits(random.IntN(60)+1), models.ReasonResumeAnalysis
			}
			posted, err := post(t, db, e)
			switch {
			case err == nil && !posted.Replayed:
				want[i].Add(int64(e.Delta))
				if posted.BalanceAfter < 0 && e.Delta < 0 && !e.Reason.Overdraws() {
					t.Errorf("seed %d: spending left %d credits", seed, posted.BalanceAfter)
				}
			case err != nil && !fault.Is(err, fault.InsufficientCredits):
				t.Errorf("seed %d: %s of %d credits: %v", seed, e.Reason, e.Delta, err)
			}
		}
	})
	for i, id := range ids {
		if got := balance(t, db, id); int64(got) != want[i].Load() {
			t.Errorf("seed %d: user %d has %d credits, the model %d", seed, id, got, want[i].Load())
		}
	}
	dbtest.CheckLedger(t, db)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com")
	for i := range 7 {
		mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: models.Credits(i + 1), Reason: models.ReasonManual})
	}
	read := &ledger.Service{DB: db}
	var seen []models.Credits
	var cursor int64
	for pages := 0; ; pages++ {
		page, err := read.History(context.Background(), user.ID, cursor, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			seen = append(seen, e.DeltaCredits)
		}
		if cursor = page.Next; cursor == 0 {
			if pages != 2 {
				t.Errorf("7 entries came on %d pages of 3, want 3 pages", pages+1)
			}
			break
		}
	}
	if fmt.Sprint(seen) != "[7 6 5 4 3 2 1]" {
		t.Errorf("history = %v, want 7 to 1, newest first and each once", seen)
	}
}

func TestOfPurchase(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	user := dbtest.User(t, db, "ada@example.com")
	for _, e := range []ledger.Entry{
		{UserID: user.ID, Delta: 500, Reason: models.ReasonPurchase, Meta: models.Meta{PurchaseID: "p1"}},
		{UserID: user.ID, Delta: 100, Reason: models.ReasonPurchase, Meta: models.Meta{PurchaseID: "p2"}},
		{UserID: user.ID, Delta: -250, Reason: models.ReasonRefund, Meta: models.Meta{PurchaseID: "p1"}},
		{UserID: user.ID, Delta: -10, Reason: models.ReasonJobMatch},
	} {
		mustPost(t, db, e)
	}
	for _, whose := range []int64{0, user.ID} {
		rows, err := s.OfPurchase(context.Background(), "p1", whose)
		if err != nil || len(rows) != 2 || rows[0].DeltaCredits != 500 || rows[1].DeltaCredits != -250 {
			t.Errorf("entries = %+v, %v; want the grant of 500 and the refund of 250, in this order", rows, err)
		}
	}
	if rows, err := s.OfPurchase(context.Background(), "p1", user.ID+1); err != nil || len(rows) != 0 {
		t.Errorf("another user's entries of the purchase = %+v, %v; want none", rows, err)
	}
	if rows, err := s.OfPurchase(context.Background(), "unknown", 0); err != nil || len(rows) != 0 {
		t.Errorf("entries of an unknown purchase = %+v, %v; want none", rows, err)
	}
}

func TestReadingWithoutADatabase(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	if err := postgres.Close(db); err != nil {
		t.Fatal(err)
	}
	if page, err := s.History(context.Background(), 1, 0, 10); err == nil {
		t.Errorf("history without a database = %+v, want an error", page)
	}
	if rows, err := s.OfPurchase(context.Background(), "p1", 0); err == nil {
		t.Errorf("entries without a database = %+v, want an error", rows)
	}
	if _, err := ledger.Lock(models.Tx{DB: db}, 1); err == nil || fault.Is(err, fault.NotFound) {
		t.Errorf("error = %v, want an error other than not found", err)
	}
}
