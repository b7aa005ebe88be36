package webhook

import (
	"context"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The list of refunds holds one of another charge, as other programs that stand in for Stripe answer it.
func TestRefundListOfAForeignCharge(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	s := &shop{t: t, Service: m.Service, user: dbtest.User(t, m.DB, "ada@example.com").ID, clock: m.Now()}
	s.must(m.DB.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).Error)
	s.purchase = s.order("cs_1")
	known := &payment{id: "1", paid: 3500, refunds: []*returned{{id: "re_1", amount: 1000, status: "failed"}, {id: "re_2", amount: 1000, status: "succeeded"}}}
	m.known.Store("pi_1", known)
	m.known.Store("ch_1", known)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(refunded("evt_2", 1000))
	s.deliver(refundIs("evt_3", "charge.refund.updated", 1, 1000, "failed"))
	s.wantBalance(1200)
	s.deliver(refunded("evt_4", 1000)) // re_2: the failed one left the sum
	m.clock.Add(time.Minute.Microseconds())
	s.must(m.Purchase.RefreshRefundsDue(context.Background()))
	s.wantBalance(1200 - 342)
	m.wantNoStranger(t)
}

// wantNoStranger wants nothing to be known of the refund that is in every list and of no charge of ours.
func (m *market) wantNoStranger(t *testing.T) {
	t.Helper()
	var strangers int64
	err := m.DB.Raw(`SELECT count(*) FROM stripe_refunds WHERE refund_id = 're_stranger' OR payment_ref = 'pi_stranger'`).Scan(&strangers).Error
	if err != nil || strangers != 0 {
		t.Errorf("a refund of another charge was taken for one of ours (%v)", err)
	}
}
