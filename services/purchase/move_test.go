package purchase_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// move moves the fixture's purchase between users.
func (f *refundFixture) move(from, to int64) (purchase.Moved, error) {
	var moved purchase.Moved
	err := postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) (err error) {
		moved, err = purchase.Move(tx, purchase.MoveOrder{PurchaseID: f.id, From: from, To: to, ActorID: f.user.ID,
			Note: "typed wrong"})
		return err
	})
	return moved, err
}

// refunded books the cumulative refund of a payment, in cents.
func (f *refundFixture) refunded(payment string, cents int64) {
	f.t.Helper()
	f.must(f.bookFetched(purchase.Charge{ID: "ch_" + payment, PaymentRef: payment, Currency: "eur", Amount: 3500,
		AmountRefunded: cents}))
}

// disputed books a dispute of the full payment in this status.
func (f *refundFixture) disputed(status string) {
	f.t.Helper()
	f.must(f.bookFetched(purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", ChargeID: "ch_pi_1", Currency: "eur",
		Status: status, Amount: 3500,
		ReportedAt: map[string]int64{"needs_response": 1, "won": 2}[status]}))
}

// wantBalances compares the credits of users, and checks the ledger.
func (f *refundFixture) wantBalances(want map[int64]models.Credits) {
	f.t.Helper()
	for id, credits := range want {
		var user models.User
		f.must(f.DB.Take(&user, id).Error)
		if user.CreditsBalance != credits {
			f.t.Errorf("user %d has %d credits, want %d", id, user.CreditsBalance, credits)
		}
	}
	dbtest.CheckLedger(f.t, f.DB)
}

func TestMove(t *testing.T) {
	t.Parallel()
	t.Run("moves the credits, and later refunds find the new owner", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		bob := dbtest.User(t, f.DB, "bob@example.com").ID
		moved, err := f.move(f.user.ID, bob)
		if err != nil || moved.Credits != 1200 || moved.UserID != bob || len(moved.Rows) != 2 || moved.Already {
			t.Fatalf("moved = %+v, %v; want 1200 credits to user %d in two entries", moved, err, bob)
		}
		if in := moved.Rows[1]; in.Reason != models.ReasonManual || in.Meta.Counterpart != f.user.ID ||
			in.Meta.PurchaseID != f.id.String() || in.Meta.Note != "typed wrong" {
			t.Errorf("entry of the new owner = %+v, want the purchase, the former owner and the note", in)
		}
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, bob: 1200})
		f.refunded("pi_1", 3500)
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, bob: 0})
		if p, err := f.Purchase(context.Background(), bob, f.id.String()); err != nil || p.UserID != bob {
			t.Errorf("purchase of the new owner = %+v, %v; want it found", p, err)
		}
		if _, err := f.Purchase(context.Background(), f.user.ID, f.id.String()); !fault.Is(err, fault.NotFound) {
			t.Errorf("purchase of the former owner: %v, want not found", err)
		}
	})
	t.Run("moves what refunds have left, also back again", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		bob := dbtest.User(t, f.DB, "bob@example.com").ID
		f.refunded("pi_1", 875)
		if _, err := f.move(f.user.ID, bob); err != nil {
			t.Fatal(err)
		}
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, bob: 900})
		f.refunded("pi_1", 1750)
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, bob: 600})
		if _, err := f.move(bob, f.user.ID); err != nil {
			t.Fatal(err)
		}
		f.wantBalances(map[int64]models.Credits{f.user.ID: 600, bob: 0})
	})
	t.Run("a won dispute gives the credits to the new owner", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		bob := dbtest.User(t, f.DB, "bob@example.com").ID
		f.disputed("needs_response")
		moved, err := f.move(f.user.ID, bob)
		if err != nil || moved.Credits != 0 || len(moved.Rows) != 0 {
			t.Fatalf("moved = %+v, %v; want no credits: the bank has them", moved, err)
		}
		f.disputed("won")
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, bob: 1200})
	})
	t.Run("leaves a former owner who has spent the credits with a negative balance", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		bob := dbtest.User(t, f.DB, "bob@example.com").ID
		f.spend(500)
		if _, err := f.move(f.user.ID, bob); err != nil {
			t.Fatal(err)
		}
		f.wantBalances(map[int64]models.Credits{f.user.ID: -500, bob: 1200})
	})
	t.Run("moves the withdrawal", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		bob := dbtest.User(t, f.DB, "bob@example.com").ID
		withdrawals := &withdrawal.Service{DB: f.DB, Purchases: f.Service, Now: f.Now, Log: f.Log}
		w, err := withdrawals.Declare(context.Background(),
			withdrawal.Declaration{UserID: f.user.ID, PurchaseID: f.id.String(), Name: "Ada", Email: "ada@example.com",
				Contract: "1200 credits", Locale: "en", Key: "k"})
		f.must(err)
		if _, err := f.move(f.user.ID, bob); err != nil {
			t.Fatal(err)
		}
		var owner int64
		if f.must(f.DB.Raw(`SELECT user_id FROM withdrawals WHERE id = ?`, w.ID).Scan(&owner).Error); owner != bob {
			t.Errorf("owner of the withdrawal = user %d, want %d", owner, bob)
		}
		for id, want := range map[int64]models.Credits{f.user.ID: 0, bob: 1200} {
			var user models.User
			if f.must(f.DB.Take(&user, id).Error); user.CreditsHeld != want {
				t.Errorf("user %d has %d credits held, want %d: the hold moves along", id, user.CreditsHeld, want)
			}
		}
		dbtest.CheckLedger(t, f.DB)
	})
}

func TestMoveRefuses(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	bob, eve := dbtest.User(t, f.DB, "bob@example.com").ID, dbtest.User(t, f.DB, "eve@example.com").ID
	paid := f.id
	wantProblem := func(name string, from, to int64, want fault.Problem) {
		t.Helper()
		if _, err := f.move(from, to); problem(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	wantProblem("to the same user", f.user.ID, f.user.ID, fault.MoveSame)
	wantProblem("to an unknown user", f.user.ID, 999, fault.MoveTarget)
	wantProblem("from a user who is not the owner", bob, eve, fault.MovedSince)
	f.must(
		f.DB.Exec(
			`UPDATE users SET email = NULL, locale = '', name = '', deleted_at = now(), delete_after = now() WHERE id = ?`,
			eve).Error)
	wantProblem("to a deleted account", f.user.ID, eve, fault.MoveTarget)
	f.id = f.order("cs_open")
	wantProblem("an unpaid purchase", f.user.ID, bob, fault.MoveUnpaid)
	f.id = paid
	f.wantBalances(map[int64]models.Credits{f.user.ID: 1200, bob: 0})
	f.must(postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, f.user.ID); err != nil {
			return err
		}
		_, err := ledger.CloseAccount(tx, f.user.ID)
		return err
	}))
	f.must(
		f.DB.Exec(
			`UPDATE users SET email = NULL, locale = '', name = '', deleted_at = now(), delete_after = now() WHERE id = ?`,
			f.user.ID).Error)
	wantProblem("credits that lapsed with their account", f.user.ID, bob, fault.MoveLapsed)
	f.wantBalances(map[int64]models.Credits{f.user.ID: 0, bob: 0})
}

func TestTwentyMovesAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("move once for one form", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		bob := dbtest.User(t, f.DB, "bob@example.com").ID
		var moved, already atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			switch m, err := f.move(f.user.ID, bob); {
			case err != nil:
				t.Errorf("move %d: %v", i, err)
			case m.Already:
				already.Add(1)
			default:
				moved.Add(1)
			}
		})
		if moved.Load() != 1 || already.Load() != 19 {
			t.Errorf("%d moved and %d found it moved, want 1 and 19", moved.Load(), already.Load())
		}
		f.wantBalances(map[int64]models.Credits{f.user.ID: 0, bob: 1200})
	})
	t.Run("find one new owner of ten while refunds are booked", func(t *testing.T) {
		t.Parallel()
		f := newRefundFixture(t)
		others := make([]int64, 10)
		for i := range others {
			others[i] = dbtest.User(t, f.DB, fmt.Sprintf("user%d@example.com", i)).ID
		}
		var moved atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			if i%2 == 1 {
				f.refunded("pi_1", int64(i)*100)
				return
			}
			switch _, err := f.move(f.user.ID, others[i/2]); {
			case err == nil:
				moved.Add(1)
			case problem(err) != fault.MovedSince:
				t.Errorf("move %d: %v", i, err)
			}
		})
		if moved.Load() != 1 {
			t.Errorf("the purchase moved %d times, want once", moved.Load())
		}
		var sum, users models.Credits
		f.must(f.DB.Raw(`SELECT sum(credits_balance) FROM users`).Scan(&sum).Error)
		f.must(f.DB.Raw(`SELECT count(*) FROM users WHERE credits_balance <> 0`).Scan(&users).Error)
		if want := models.Credits(1200 - 1200*1900/3500); sum < want || sum > want+1 || users != 1 {
			t.Errorf("%d users have %d credits in all, want 1 user with %d", users, sum, want)
		}
		dbtest.CheckLedger(t, f.DB)
	})
}
