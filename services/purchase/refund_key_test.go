package purchase_test

import (
	"context"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// sendDue moves the clock on to the next attempt and runs twenty workers.
func (f *refundFixture) sendDue() {
	f.t.Helper()
	f.clock = f.clock.Add(2 * time.Minute)
	dbtest.Concurrently(20, func(int) {
		if err := f.SendRefundsDue(context.Background()); err != nil {
			f.t.Errorf("send: %v", err)
		}
	})
}

// Stripe stores a failure under its idempotency key for a day. The buyer does not wait that long.
func TestRefundWithAFailedKey(t *testing.T) {
	t.Parallel()
	request := func(f *refundFixture) models.RefundRequest { return f.detail().Requests[0] }
	t.Run("is made with another key once no refund can come of the first", func(t *testing.T) {
		f := newRefundFixture(t)
		f.change(func() { f.failing = true })
		f.refund(1000, 0, "form")
		if r := request(f); r.KeyNumber != 0 || r.Status != models.RefundPending {
			t.Errorf(
				"after the first failure the request is %s with key %d, want pending with key 0: the failure may be temporary",
				r.Status, r.KeyNumber)
		}
		f.sendDue()
		if r := request(f); r.KeyNumber != 1 || r.Status != models.RefundPending || r.LastError != models.CauseKeySpent {
			t.Errorf("after the same failure the request is %s with key %d, error %q; want pending with key 1, key_spent",
				r.Status, r.KeyNumber, r.LastError)
		}
		f.wantRefunds(0)
		f.change(func() { f.failing = false })
		f.sendDue()
		f.wantRefunds(1)
		f.wantBalance(1200 - 342)
		if r := request(f); r.Status != models.RefundSent || r.RefundID != "re_1" {
			t.Errorf("request is %s with refund %q, want sent with re_1", r.Status, r.RefundID)
		}
	})
	t.Run("is found when it was made despite the failure", func(t *testing.T) {
		f := newRefundFixture(t)
		f.change(func() { f.failing = true })
		r := f.refund(1000, 0, "form")
		f.change(func() {
			f.made = append(f.made, map[string]any{"id": "re_late", "object": "refund", "amount": 1000, "currency": "eur",
				"status":         "succeeded",
				"payment_intent": "pi_1", "charge": "ch_1", "metadata": map[string]string{"refund_request": r.ID.String()}})
			f.failing = false
		})
		f.sendDue()
		f.wantRefunds(1)
		f.wantBalance(1200 - 342)
		if r := request(f); r.RefundID != "re_late" || r.KeyNumber != 0 {
			t.Errorf("request has refund %q with key %d, want re_late with the first key", r.RefundID, r.KeyNumber)
		}
	})
	t.Run("is found when it appears late, after the change of the key", func(t *testing.T) {
		f := newRefundFixture(t)
		f.change(func() { f.failing = true })
		r := f.refund(1000, 0, "form")
		f.sendDue()
		asked := 0
		f.change(func() {
			f.made = append(f.made, map[string]any{"id": "re_late", "object": "refund", "amount": 1000, "currency": "eur",
				"status":         "succeeded",
				"payment_intent": "pi_1", "charge": "ch_1", "metadata": map[string]string{"refund_request": r.ID.String()}})
			f.failing, asked = false, f.calls
		})
		f.sendDue()
		f.wantRefunds(1)
		f.wantBalance(1200 - 342)
		f.change(func() {
			if f.calls != asked {
				t.Errorf("%d more requests for a refund, want the list read first", f.calls-asked)
			}
		})
	})
	t.Run("keeps its key while the list cannot be read", func(t *testing.T) {
		f := newRefundFixture(t)
		f.change(func() { f.failing = true })
		f.refund(1000, 0, "form")
		f.change(func() { f.blind = true })
		f.sendDue()
		if r := request(f); r.KeyNumber != 0 {
			t.Errorf("key = %d, want 0: the refund may have been made", r.KeyNumber)
		}
	})
	t.Run("is not made again by a worker that still has the first key", func(t *testing.T) {
		f := newRefundFixture(t)
		f.change(func() { f.failing = true })
		old := f.refund(1000, 0, "form")
		f.sendDue()
		f.change(func() { f.failing = false })
		f.sendDue()
		if _, err := f.SendRefund(context.Background(), old); err != nil {
			t.Errorf("send with the old key: %v", err)
		}
		f.wantRefunds(1)
		f.wantBalance(1200 - 342)
	})
}
