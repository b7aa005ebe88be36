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
func (c *refundFixture) move(from, to int64) (purchase.Moved, error) {
	var moved purchase.Moved
	err := postgres.Transaction(context.Background(), c.DB, func(tx models.Tx) (err error) {
		moved, err = purchase.Move(tx, purchase.MoveOrder{PurchaseID: c.id, From: from, To: to, ActorID: c.user.ID,
			Note: "typed wrong"})
		return err
	})
	return moved, err
}

// refunded books the cumulative refund of a payment, in cents.
func (c *refundFixture) refunded(payment string, cents int64) {
	c.t.Helper()
	c.must(c.bookFetched(purchase.Charge{ID: "ch_" + payment, PaymentRef: payment, Currency: "eur", Amount: 3500,
		AmountRefunded: cents}))
}

// disputed books a dispute of the full payment in this status.
func (c *refundFixture) disputed(status string) {
	c.t.Helper()
	c.must(c.bookFetched(purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", ChargeID: "ch_pi_1", Currency: "eur",
		Status: status, Amount: 3500,
		ReportedAt: map[string]int64{"needs_response": 1, "won": 2}[status]}))
}

// wantBalances compares the credits of users, and checks the ledger.
func (c *refundFixture) wantBalances(want map[int64]models.Credits) {
	c.t.Helper()
	for id, credits := range want {
		var user models.User
		c.must(c.DB.Take(&user, id).Error)
		if user.CreditsBalance != credits {
			c.t.Errorf("user %d has %d credits, want %d", id, user.CreditsBalance, credits)
		}
	}
	dbtest.CheckLedger(c.t, c.DB)
}

func TestMove(t *testing.T) {
	t.Parallel()
	t.Run("moves the credits, and later refunds find the new owner", func(t *testing.T) {
		t.Parallel()
		c := newRefundFixture(t)
		bob := dbtest.User(t, c.DB, "bob@example.com").ID
		moved, err := c.move(c.user.ID, bob)
		if err != nil || moved.Credits != 1200 || moved.UserID != bob || len(moved.Rows) != 2 || moved.Already {
			t.Fatalf("moved = %+v, %v; want 1200 credits to user %d in two entries", moved, err, bob)
		}
		if in := moved.Rows[1]; in.Reason != models.ReasonManual || in.Meta.Counterpart != c.user.ID ||
			in.Meta.PurchaseID != c.id.String() || in.Meta.Note != "typed wrong" {
			t.Errorf("entry of the new owner = %+v, want the purchase, the former owner and the note", in)
		}
		c.wantBalances(map[int64]models.Credits{c.user.ID: 0, bob: 1200})
		c.refunded("pi_1", 3500)
		c.wantBalances(map[int64]models.Credits{c.user.ID: 0, bob: 0})
		if p, err := c.Purchase(context.Background(), bob, c.id.String()); err != nil || p.UserID != bob {
			t.Errorf("purchase of the new owner = %+v, %v; want it found", p, err)
		}
		if _, err := c.Purchase(context.Background(), c.user.ID, c.id.String()); !fault.Is(err, fault.NotFound) {
			t.Errorf("purchase of the former owner: %v, want not found", err)
		}
	})
	t.Run("moves what refunds have left, also back again", func(t *testing.T) {
		t.Parallel()
		c := newRefundFixture(t)
		bob := dbtest.User(t, c.DB, "bob@example.com").ID
		c.refunded("pi_1", 875)
		if _, err := c.move(c.user.ID, bob); err != nil {
			t.Fatal(err)
		}
		c.wantBalances(map[int64]models.Credits{c.user.ID: 0, bob: 900})
		c.refunded("pi_1", 1750)
		c.wantBalances(map[int64]models.Credits{c.user.ID: 0, bob: 600})
		if _, err := c.move(bob, c.user.ID); err != nil {
			t.Fatal(err)
		}
		c.wantBalances(map[int64]models.Credits{c.user.ID: 600, bob: 0})
	})
	t.Run("a won dispute gives the credits to the new owner", func(t *testing.T) {
		t.Parallel()
		c := newRefundFixture(t)
		bob := dbtest.User(t, c.DB, "bob@example.com").ID
		c.disputed("needs_response")
		moved, err := c.move(c.user.ID, bob)
		if err != nil || moved.Credits != 0 || len(moved.Rows) != 0 {
			t.Fatalf("moved = %+v, %v; want no credits: the bank has them", moved, err)
		}
		c.disputed("won")
		c.wantBalances(map[int64]models.Credits{c.user.ID: 0, bob: 1200})
	})
	t.Run("leaves a former owner who has spent the credits with a negative balance", func(t *testing.T) {
		t.Parallel()
		c := newRefundFixture(t)
		bob := dbtest.User(t, c.DB, "bob@example.com").ID
		c.spend(500)
		if _, err := c.move(c.user.ID, bob); err != nil {
			t.Fatal(err)
		}
		c.wantBalances(map[int64]models.Credits{c.user.ID: -500, bob: 1200})
	})
	t.Run("moves the withdrawal", func(t *testing.T) {
		t.Parallel()
		c := newRefundFixture(t)
		bob := dbtest.User(t, c.DB, "bob@example.com").ID
		withdrawals := &withdrawal.Service{DB: c.DB, Purchases: c.Service, Now: c.Now, Log: c.Log}
		w, err := withdrawals.Declare(context.Background(),
			withdrawal.Declaration{UserID: c.user.ID, PurchaseID: c.id.String(), Name: "Ada", Email: "ada@example.com",
				Contract: "1200 credits", Locale: "en", Key: "k"})
		c.must(err)
		if _, err := c.move(c.user.ID, bob); err != nil {
			t.Fatal(err)
		}
		var owner int64
		if c.must(c.DB.Raw(`SELECT user_id FROM withdrawals WHERE id = ?`, w.ID).Scan(&owner).Error); owner != bob {
			t.Errorf("owner of the withdrawal = user %d, want %d", owner, bob)
		}
	})
}

func TestMoveRefuses(t *testing.T) {
	t.Parallel()
	c := newRefundFixture(t)
	bob, eve := dbtest.User(t, c.DB, "bob@example.com").ID, dbtest.User(t, c.DB, "eve@example.com").ID
	paid := c.id
	wantProblem := func(name string, from, to int64, want fault.Problem) {
		t.Helper()
		if _, err := c.move(from, to); problem(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	wantProblem("to the same user", c.user.ID, c.user.ID, fault.MoveSame)
	wantProblem("to an unknown user", c.user.ID, 999, fault.MoveTarget)
	wantProblem("from a user who is not the owner", bob, eve, fault.MovedSince)
	c.must(
		c.DB.Exec(
			`UPDATE users SET email = NULL, locale = '', name = '', deleted_at = now(), delete_after = now() WHERE id = ?`,
			eve).Error)
	wantProblem("to a deleted account", c.user.ID, eve, fault.MoveTarget)
	c.id = c.order("cs_open")
	wantProblem("an unpaid purchase", c.user.ID, bob, fault.MoveUnpaid)
	c.id = paid
	c.wantBalances(map[int64]models.Credits{c.user.ID: 1200, bob: 0})
	c.must(postgres.Transaction(context.Background(), c.DB, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, c.user.ID); err != nil {
			return err
		}
		_, err := ledger.CloseAccount(tx, c.user.ID)
		return err
	}))
	c.must(
		c.DB.Exec(
			`UPDATE users SET email = NULL, locale = '', name = '', deleted_at = now(), delete_after = now() WHERE id = ?`,
			c.user.ID).Error)
	wantProblem("credits that lapsed with their account", c.user.ID, bob, fault.MoveLapsed)
	c.wantBalances(map[int64]models.Credits{c.user.ID: 0, bob: 0})
}

func TestTwentyMovesAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("move once for one form", func(t *testing.T) {
		t.Parallel()
		c := newRefundFixture(t)
		bob := dbtest.User(t, c.DB, "bob@example.com").ID
		var moved, already atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			switch m, err := c.move(c.user.ID, bob); {
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
		c.wantBalances(map[int64]models.Credits{c.user.ID: 0, bob: 1200})
	})
	t.Run("find one new owner of ten while refunds are booked", func(t *testing.T) {
		t.Parallel()
		c := newRefundFixture(t)
		others := make([]int64, 10)
		for i := range others {
			others[i] = dbtest.User(t, c.DB, fmt.Sprintf("user%d@example.com", i)).ID
		}
		var moved atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			if i%2 == 1 {
				c.refunded("pi_1", int64(i)*100)
				return
			}
			switch _, err := c.move(c.user.ID, others[i/2]); {
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
		c.must(c.DB.Raw(`SELECT sum(credits_balance) FROM users`).Scan(&sum).Error)
		c.must(c.DB.Raw(`SELECT count(*) FROM users WHERE credits_balance <> 0`).Scan(&users).Error)
		if want := models.Credits(1200 - 1200*1900/3500); sum < want || sum > want+1 || users != 1 {
			t.Errorf("%d users have %d credits in all, want 1 user with %d", users, sum, want)
		}
		dbtest.CheckLedger(t, c.DB)
	})
}
