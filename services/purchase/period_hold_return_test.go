package purchase_test

import (
	"errors"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// declareWithdrawal declares the withdrawal from f.id.
func (f *refundFixture) declareWithdrawal() (*withdrawal.Service, models.Withdrawal) {
	f.t.Helper()
	s := &withdrawal.Service{DB: f.DB, Purchases: f.Service, Now: f.Now, Log: f.Log}
	w, err := s.Declare(f.t.Context(), withdrawal.Declaration{UserID: f.user.ID, PurchaseID: f.id.String(), Name: "Ada",
		Email: "ada@example.com", Contract: "1200 Credits", Locale: "de", Key: "w"})
	f.must(err)
	return s, w
}

// When the refund of a withdrawal fails, the credits that it gave back for a debt are taken again: the debt is neither
// forgiven nor taken twice, however often this happens.
func TestFailedRefundTakesWaivedCreditsAgain(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.must(f.take(300))
	f.refunded("pi_1", 3500)
	f.id = f.orderHeld("cs_2")
	f.must(f.bookFetched(paidSession("cs_2", "pi_2"))) // 300 of these credits cover the debt
	f.declareWithdrawal()
	reserved := map[models.Reason]models.Credits{models.ReasonWithdrawal: 900}
	f.wantHolds("declared", reserved)
	for _, id := range []string{"re_1", "re_2"} {
		refund := purchase.Refund{ID: id, PaymentRef: "pi_2", Currency: "eur", Amount: 3500, Status: "pending"}
		f.must(f.bookFetched(refund))
		f.wantBalance(0)
		f.wantHolds("refunded", nil)
		refund.Status = "failed"
		f.must(f.bookFetched(refund))
		f.wantBalance(900)
		f.wantHolds("the refund failed", reserved)
	}
}

// A withdrawal that was declared before the order was complete is closed like any other, although nothing was paid.
func TestWithdrawalFromAFreeOrderEnds(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.id = f.orderHeld("cs_2")
	f.must(f.DB.Exec(`UPDATE purchases SET amount_cents = 0 WHERE id = ?`, f.id).Error)
	s, w := f.declareWithdrawal()
	f.must(f.bookFetched(purchase.Checkout{ID: "cs_2", PaymentStatus: "no_payment_required", Currency: "eur",
		PaidCurrency: "eur"}))
	f.wantHolds("booked", map[models.Reason]models.Credits{models.ReasonWithdrawal: 1200})
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	f.must(s.Close(t.Context(), w.ID.String(), admin, ""))
	f.wantHolds("closed", onlyPeriod)
	if closed, err := s.Find(t.Context(), w.ID.String()); err != nil || closed.HoldID != nil {
		t.Errorf("hold of the closed withdrawal = %v, %v; want none", closed.HoldID, err)
	}
}

// Credits that were paid for after their buyer's account was deleted are held for the account that they move to.
func TestCreditsOfADeletedAccountAreHeldWhereTheyMove(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.id = f.orderHeld("cs_2")
	f.must(postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, f.user.ID); err != nil {
			return err
		}
		_, err := ledger.CloseAccount(tx, f.user.ID)
		return err
	}))
	f.must(f.DB.Exec(`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = now() WHERE id = ?`,
		f.user.ID).Error)
	if err := f.bookFetched(paidSession("cs_2", "pi_2")); !errors.As(err, new(purchase.ReviewError)) {
		t.Errorf("payment for a deleted account: error = %v, want a review", err)
	}
	f.wantHolds("deleted", nil)
	f.wantBalance(1200)
	owner := dbtest.User(t, f.DB, "owner@example.com")
	_, err := f.move(f.user.ID, owner.ID)
	f.must(err)
	f.user = owner
	f.wantHolds("new owner", onlyPeriod)
}

// A debt takes part of what would be held. A refund then takes its credits out of the hold, and none that came since.
func TestRefundOfAPurchaseThatADebtTookPartOf(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.spend(1200)
	f.refund(1000, 0, "spent")
	f.id = f.orderHeld("cs_2")
	f.must(f.bookFetched(paidSession("cs_2", "pi_2")))
	f.wantHolds("paid", map[models.Reason]models.Credits{models.ReasonPeriod: 1200 - 342})
	f.buy("pi_3")
	f.refund(1000, 0, "held")
	f.wantHolds("refunded", map[models.Reason]models.Credits{models.ReasonPeriod: 1200 - 342 - 342})
	f.wantBalance(1200 - 342 + 1200 - 342)
}
