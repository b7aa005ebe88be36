package withdrawal_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
)

// work runs the background jobs once, and those that send refunds.
func (f *fixture) work() {
	f.t.Helper()
	if err := periodic.Once(context.Background(), append(f.Jobs(), f.Purchases.Jobs()[0])); err != nil {
		f.t.Logf("jobs: %v", err)
	}
}

// wantClosed compares what a declaration says was refunded.
func (f *fixture) wantClosed(w models.Withdrawal, cents models.Cents) {
	f.t.Helper()
	w, err := f.Find(f.t.Context(), w.ID.String())
	if err != nil || w.HandledAt == nil || w.RefundedCents == nil || *w.RefundedCents != cents {
		f.t.Errorf("withdrawal closed at %v, refunded %v (%v), want it closed with %d cents", w.HandledAt, w.RefundedCents,
			err, cents)
	}
}

// wantRefunds compares the refunds at Stripe.
func (f *fixture) wantRefunds(when string, cents ...int) {
	f.t.Helper()
	if got := f.stripe.amounts(); !slices.Equal(got, cents) {
		f.t.Errorf("%s: Stripe made refunds of %v cents, want %v", when, got, cents)
	}
}

// A clean withdrawal is refunded once, whichever replicas work. Without consent, the used credits are not paid for.
func TestCleanWithdrawalsAreRefunded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		used     int
		consent  bool
		cents    models.Cents
		waived   int64 // entries
		refusing bool
	}{
		{0, true, 500, 0, false}, {40, true, 300, 0, false}, {40, false, 500, 1, false}, {100, false, 500, 1, false},
	} {
		t.Run(fmt.Sprintf("%d %% used, consent %t", c.used, c.consent), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			d := f.bought(c.used, c.consent)
			w := f.declare(d)
			dbtest.Concurrently(20, func(int) { f.work() })
			f.wantRefunds("after 20 workers", int(c.cents))
			f.wantClosed(w, c.cents)
			f.wantCredits("refunded", d.UserID, 0, 0)
			var waived, letters int64
			f.count(&waived, `SELECT count(*) FROM credit_transactions WHERE meta ->> 'withdrawal' = ?`, w.ID.String())
			f.count(&letters, `SELECT count(*) FROM letters WHERE kind IN ('withdrawal_refunded', 'refunded')`)
			if waived != c.waived || letters != 1 {
				t.Errorf("%d entries waive used credits, %d letters; want %d and 1", waived, letters, c.waived)
			}
		})
	}
}

func (f *fixture) count(n *int64, query string, args ...any) {
	f.t.Helper()
	if err := f.DB.Raw(query, args...).Scan(n).Error; err != nil {
		f.t.Fatal(err)
	}
}

// A server that dies, or a Stripe that is away or whose answer is lost, neither loses the refund nor repeats it.
func TestRefundSurvivesFailures(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]struct{ down, deaf bool }{"Stripe is away": {true, false},
		"the answer is lost": {false, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			d := f.bought(40, true)
			w := f.declare(d)
			f.stripe.set(fail.down, fail.deaf)
			f.work()
			admin := dbtest.User(t, f.DB, "admin@example.com").ID
			if err := f.Close(t.Context(), w.ID.String(), admin, ""); !fault.Is(err, fault.Conflict) {
				t.Errorf("closing while the refund is on its way: error = %v, want a conflict", err)
			}
			f.stripe.set(false, false)
			f.now = f.now.Add(2 * time.Minute)
			f.work() // sends the refund
			f.work() // closes the withdrawal
			f.wantRefunds("in the end", 300)
			f.wantClosed(w, 300)
			f.wantCredits("refunded", d.UserID, 0, 0)
		})
	}
}

// What is unclear waits for a person, and the workers leave it alone.
func TestUnclearWithdrawalsWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	reworded := f.bought(0, true)
	reworded.Reworded = true
	late := f.bought(0, true)
	w := f.declare(reworded)
	f.now = f.now.AddDate(0, 0, 15)
	f.declare(late)
	f.declare(f.bought(100, true)) // nothing is due
	f.work()
	f.work()
	f.wantRefunds("unclear")
	var judged int64
	f.count(&judged, `SELECT count(*) FROM withdrawals WHERE judged_at IS NOT NULL AND handled_at IS NULL`)
	if judged != 3 {
		t.Errorf("%d declarations wait for a person, want 3", judged)
	}
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	if err := f.Refund(t.Context(), w.ID.String(), 500, admin, ""); fault.Of(err) == nil ||
		fault.Of(err).Problem != fault.WithdrawalUnclear {
		t.Errorf("refund of a reworded declaration: error = %v, want fault.WithdrawalUnclear", err)
	}
}

// An admin refunds the amount that the summary showed, once.
func TestAdminRefundsAWithdrawal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Automatic = false
	w := f.declare(f.bought(40, false))
	f.work()
	f.wantRefunds("without WITHDRAWAL_AUTO_REFUND")
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	if err := f.Refund(t.Context(), w.ID.String(), 300, admin, "req_1"); fault.Of(err) == nil ||
		fault.Of(err).Problem != fault.RefundedSince {
		t.Errorf("refund of another amount than seen: error = %v, want fault.RefundedSince", err)
	}
	f.wantRefunds("of another amount than seen")
	dbtest.Concurrently(20, func(int) {
		if err := f.Refund(context.Background(), w.ID.String(), 500, admin, "req_1"); err != nil {
			t.Errorf("refund: %v", err)
		}
	})
	f.wantRefunds("after 20 clicks", 500)
	f.wantClosed(w, 500)
}

// A refund that the bank rejects opens the withdrawal again, and the credits are as they were.
func TestFailedRefundReopensTheWithdrawal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := f.bought(40, false)
	w := f.declare(d)
	f.work()
	f.wantCredits("refunded", d.UserID, 0, 0)
	_, err := f.Purchases.BookFetched(t.Context(), purchase.Refund{ID: "re_1", PaymentRef: "pi_" + d.PurchaseID,
		ChargeID: "ch_1", Currency: "eur", Status: "failed", Amount: 500}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.wantCredits("the refund failed", d.UserID, 60, 60)
	if w, err = f.Find(t.Context(), w.ID.String()); err != nil || w.HandledAt != nil {
		t.Fatalf("withdrawal closed at %v (%v), want it open", w.HandledAt, err)
	}
	e := f.entitlement(w)
	if len(e.Missing) != 1 || e.Missing[0] != models.MissingRefund || e.Cents != 500 {
		t.Errorf("entitlement = %+v, want 500 cents after a failed refund", e)
	}
	f.work()
	f.wantRefunds("after the failure", 500)
}

// A dispute that is won brings credits back, as a failed refund does, but the refund stands: the withdrawal stays
// closed, however often and at once Stripe reports the dispute.
func TestDisputeDoesNotReopenTheWithdrawal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := f.bought(40, true)
	w := f.declare(d)
	f.work()
	f.wantClosed(w, 300)
	for revision, step := range []struct {
		status  string
		balance models.Credits
	}{{"needs_response", -40}, {"won", 0}} {
		dbtest.Concurrently(20, func(int) {
			_, err := f.Purchases.BookFetched(context.Background(), purchase.Dispute{ID: "dp_1",
				PaymentRef: "pi_" + d.PurchaseID, Currency: "eur", Status: step.status, Amount: 200,
				ReportedAt: int64(revision + 1)}, nil)
			if err != nil {
				t.Errorf("book the dispute: %v", err)
			}
		})
		f.wantCredits(step.status, d.UserID, step.balance, 0)
		f.wantClosed(w, 300)
	}
	f.work()
	f.wantRefunds("after the dispute", 300)
}
