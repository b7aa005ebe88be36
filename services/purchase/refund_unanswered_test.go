package purchase_test

import (
	"context"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/purchase"
)

func TestRefundThatStripeDoesNotAnswer(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	// hangUp returns a context that is canceled by the next request for a refund.
	hangUp := func(f *refundFixture) context.Context {
		short, cancel := context.WithCancel(ctx)
		f.change(func() { f.hangUp = cancel })
		return short
	}
	t.Run("is sent once by the worker", func(t *testing.T) {
		f := newRefundFixture(t)
		f.change(func() { f.down = true })
		request, err := f.request(1000, 0, "form")
		f.must(err)
		request, err = f.SendRefund(hangUp(f), request)
		if err != nil || request.Status != models.RefundPending || request.LastError != models.CauseInterrupted {
			t.Fatalf("request = %s %q, %v; want pending, interrupted", request.Status, request.LastError, err)
		}
		f.wantBalance(1200)
		d := f.detail()
		if d.Left() != 2500 || d.PendingCredits() != 342 || d.Unused(1200) != 858 ||
			d.WaitingFor[0] != purchase.WaitRefundSend {
			t.Errorf("left %d cents, %d credits pending, %d unused, waits for %v; want 2500, 342, 858, refund_send",
				d.Left(), d.PendingCredits(), d.Unused(1200), d.WaitingFor)
		}
		f.must(f.SendRefundsDue(ctx)) // not due yet
		f.wantRefunds(0)
		f.change(func() { f.down = false })
		f.clock = f.clock.Add(2 * time.Minute)
		dbtest.Concurrently(20, func(int) {
			if err := f.SendRefundsDue(ctx); err != nil {
				t.Errorf("send: %v", err)
			}
		})
		f.wantRefunds(1)
		f.wantBalance(1200 - 342)
		if d := f.detail(); d.Requests[0].Status != models.RefundSent || len(d.WaitingFor) != 0 {
			t.Errorf("request is %s, waits for %v; want sent, nothing", d.Requests[0].Status, d.WaitingFor)
		}
	})
	t.Run("is sent again when its answer could not be booked", func(t *testing.T) {
		f := newRefundFixture(t)
		_, err := f.request(1000, 0, "form")
		f.must(err)
		f.must(f.DB.Exec(`ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (delta_credits > 0)`).Error)
		f.clock = f.clock.Add(2 * time.Minute)
		if err := f.SendRefundsDue(ctx); err == nil {
			t.Error("no error, want that of the database")
		}
		f.must(f.DB.Exec(`ALTER TABLE credit_transactions DROP CONSTRAINT spoilt`).Error)
		f.clock = f.clock.Add(2 * time.Minute)
		f.must(f.SendRefundsDue(ctx))
		f.wantRefunds(1)
		f.wantBalance(1200 - 342)
	})
	for name, later := range map[string]time.Duration{"the same day": time.Hour,
		"after Stripe has forgotten the key": 30 * time.Hour} {
		t.Run("is found when it was made, "+name, func(t *testing.T) {
			f := newRefundFixture(t)
			f.change(func() { f.deaf = true })
			request, err := f.request(1000, 0, "form")
			f.must(err)
			_, err = f.SendRefund(hangUp(f), request)
			f.must(err)
			f.clock = f.clock.Add(later)
			f.change(func() {
				f.deaf = false
				if later > 24*time.Hour {
					f.byKey = map[string]map[string]any{}
				}
			})
			f.must(f.SendRefundsDue(ctx))
			f.wantRefunds(1)
			f.wantBalance(1200 - 342)
			if d := f.detail(); d.Requests[0].RefundID != "re_1" {
				t.Errorf("refund of the request = %q, want re_1", d.Requests[0].RefundID)
			}
		})
	}
	t.Run("is not sent before the list is read once Stripe has forgotten the key", func(t *testing.T) {
		f := newRefundFixture(t)
		request, err := f.request(1000, 0, "form")
		f.must(err)
		f.clock = f.clock.Add(30 * time.Hour)
		f.change(func() { f.down = true })
		if request, err = f.SendRefund(ctx, request); err != nil || request.Status != models.RefundPending {
			t.Errorf("request = %s, %v; want pending", request.Status, err)
		}
		f.change(func() {
			if f.calls != 0 {
				t.Errorf("%d requests for a refund before the list was read, want 0", f.calls)
			}
		})
	})
}

func TestRefundThatStripeRefuses(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.change(func() { f.refuses = "charge_disputed" })
	request := f.refund(1000, 0, "form")
	if request.Status != models.RefundRefused || request.LastError != models.CauseRefused.Of("charge_disputed") {
		t.Errorf("request = %s %q, want refused with Stripe's code", request.Status, request.LastError)
	}
	f.change(func() { f.refuses = "" })
	if again := f.refund(1000, 0, "form"); again.Status != models.RefundRefused {
		t.Errorf("the same form again is %s, want refused", again.Status)
	}
	f.wantRefunds(0)
	if d := f.detail(); d.Left() != 3500 || len(d.WaitingFor) != 0 {
		t.Errorf("left %d cents, waits for %v; want 3500 and nothing", d.Left(), d.WaitingFor)
	}
	if again := f.refund(1000, 0, "another form"); again.Status != models.RefundSent {
		t.Errorf("another form is %s, want sent", again.Status)
	}
	f.wantBalance(1200 - 342)
}

func TestPendingRefund(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.change(func() { f.status = "pending" })
	f.refund(3500, 0, "form")
	f.wantBalance(0)
	if d := f.detail(); len(d.WaitingFor) != 1 || d.WaitingFor[0] != purchase.WaitRefund || d.Left() != 0 {
		t.Errorf("waits for %v, left %d cents; want the refund, 0", d.WaitingFor, d.Left())
	}
	f.must(f.bookFetched(purchase.Refund{ID: "re_1", PaymentRef: "pi_1", ChargeID: "ch_1", Currency: "eur",
		Status: "failed", Amount: 3500}))
	f.wantBalance(1200)
	if d := f.detail(); d.Left() != 3500 {
		t.Errorf("left %d cents after the refund failed, want 3500", d.Left())
	}
}
