package webhook

import (
	"context"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The list of refunds contains one of another charge, as some Stripe mocks return.
func TestRefundListOfAForeignCharge(t *testing.T) {
	t.Parallel()
	f := newHistoryFixture(t)
	s := &fixture{t: t, Service: f.Service, user: dbtest.User(t, f.DB, "ada@example.com").ID, clock: f.Now()}
	s.must(
		f.DB.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).
			Error)
	s.purchase = s.order("cs_1")
	known := &payment{id: "1", paid: 3500, refunds: []*reversal{
		{id: "re_1", amount: 1000, status: "failed"}, {id: "re_2", amount: 1000, status: "succeeded"},
	}}
	f.known.Store("pi_1", known)
	f.known.Store("ch_1", known)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(refunded("evt_2", 1000))
	s.deliver(refundEvent("evt_3", "charge.refund.updated", 1, 1000, "failed"))
	s.wantBalance(1200)
	s.deliver(refunded("evt_4", 1000)) // of re_2: the failed re_1 left the sum
	f.clock.Add(time.Minute.Microseconds())
	s.must(f.Purchase.RefreshRefundsDue(context.Background()))
	s.wantBalance(1200 - 342)
	f.wantNoForeignRefund(t)
}

// wantNoForeignRefund wants the refund of another charge, which is in every list, not to be stored.
func (f *historyFixture) wantNoForeignRefund(t *testing.T) {
	t.Helper()
	var rows int64
	err := f.DB.Raw(`SELECT count(*) FROM stripe_refunds WHERE refund_id = 're_foreign' OR payment_ref = 'pi_foreign'`).
		Scan(&rows).Error
	if err != nil || rows != 0 {
		t.Errorf("%d refunds of another charge are stored (%v), want 0", rows, err)
	}
}
