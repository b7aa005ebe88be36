package account_test

import (
	"slices"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/purchase"
)

// A bank may reject a refund after the account was deleted. What the withdrawal waived is taken again.
func TestFailedRefundOfADeletedAccount(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	f.post(-80, models.ReasonResumeAnalysis) // 30 of the newer purchase are used
	f.must(f.refund(f.offers()))
	f.must(f.Delete(t.Context(), f.user.ID))
	f.work()
	f.wantRefunds("after the deletion", "500")
	f.wantCredits("after the deletion", 0, 0)
	var refund string
	f.must(f.DB.Raw(`SELECT refund_id FROM refund_requests`).Scan(&refund).Error)
	_, err := f.Purchase.BookFetched(t.Context(), purchase.Refund{ID: refund, PaymentRef: "pi_3", ChargeID: "ch_1",
		Currency: "eur", Status: "failed", Amount: 500}, nil)
	f.must(err)
	f.wantCredits("the refund failed", 70, 0)
	var id string
	f.must(f.DB.Raw(`SELECT id::text FROM withdrawals WHERE handled_at IS NULL`).Scan(&id).Error)
	f.must(f.Withdrawal.Close(t.Context(), id, admin, "req_1"))
	f.wantCredits("closed", 0, 0)
}

// Part of a withdrawn purchase was refunded when an admin closed the withdrawal, and the rest lapsed. If the bank then
// rejects that refund, the withdrawal is open again with all its credits, however often Stripe says so.
func TestFailedRefundRestoresWhatLapsed(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	f.Withdrawal.Automatic = false
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	f.must(f.refund(f.offers()))
	f.must(f.Delete(t.Context(), f.user.ID))
	report := func(refund, status string) error {
		_, err := f.Purchase.BookFetched(t.Context(), purchase.Refund{ID: refund, PaymentRef: "pi_3", ChargeID: "ch_1",
			Currency: "eur", Status: status, Amount: 200}, nil)
		return err
	}
	open := func() (ids []string) {
		f.must(f.DB.Raw(`SELECT id::text FROM withdrawals WHERE handled_at IS NULL`).Scan(&ids).Error)
		return ids
	}
	declared := open()
	for _, refund := range []string{"re_one", "re_two"} { // each closes the declaration and opens it again
		f.must(report(refund, "succeeded"))
		f.wantCredits(refund+": part refunded", 110, 0)
		f.must(f.Withdrawal.Close(t.Context(), declared[0], admin, "req_1"))
		f.wantCredits(refund+": closed, and the older purchase is still to be refunded", 50, 0)
		dbtest.Concurrently(20, func(int) {
			if err := report(refund, "failed"); err != nil {
				t.Errorf("report of the failure: %v", err)
			}
		})
		f.wantCredits(refund+": failed", 150, 0)
		if ids := open(); !slices.Equal(ids, declared) {
			t.Errorf("%s failed: open declarations = %v, want %v", refund, ids, declared)
		}
	}
}
