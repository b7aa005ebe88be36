package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// A buyer's money goes back while their credits are being spent: refund and charge are told a hundred times each at two
// replicas, and a service spends as fast as it can. All that was bought is taken back once, spending never makes a debt
// of its own, and in debt nothing more is spent.
func TestRefundWhileSpending(t *testing.T) {
	const spenders, times = 16, 60
	c := newCounter(t, 1)
	o := c.shop.order(t, c.shop.users[0])
	send := newSender(t, func(attempt int) string { return c.urls[attempt%2] })
	send.send(t, o.paid())
	held := c.call(t, 0, http.MethodPost, "/api/credits/holds", "before", fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, o.user))
	if held.status != http.StatusCreated {
		t.Fatalf("hold: %d %s", held.status, held.body)
	}
	var spent, refused atomic.Int64
	var work sync.WaitGroup
	for n := range spenders {
		work.Go(func() {
			for i := range times {
				switch r := c.spend(t, (n+i)%2, o.user, fmt.Sprintf("%d %d", n, i)); r.status {
				case http.StatusCreated:
					spent.Add(1)
				case http.StatusPaymentRequired:
					refused.Add(1)
				default:
					t.Errorf("spend: %d %s", r.status, r.body)
				}
			}
		})
	}
	refund, charge := o.refund(soldCents), o.charge()
	work.Go(func() {
		c.shop.eventually(t, "spends before the refund", func() int64 { return min(spent.Load(), 20) }, 20)
		send.sendAll(t, 100, refund, charge)
	})
	work.Wait()
	if refused.Load() == 0 {
		t.Error("no spend came after the refund")
	}

	if got := c.shop.count(t, `SELECT coalesce(-sum(delta_credits), 0) FROM credit_transactions WHERE reason = 'refund'`); got != soldCredits {
		t.Errorf("%d credits taken back, want the %d bought", got, soldCredits)
	}
	balance := c.shop.count(t, `SELECT credits_balance FROM users WHERE id = ?`, o.user)
	if balance != -spent.Load()*matchCost {
		t.Errorf("balance = %d credits after %d spends, want %d", balance, spent.Load(), -spent.Load()*matchCost)
	}
	if r := c.spend(t, 0, o.user, "in debt"); r.status != http.StatusPaymentRequired {
		t.Errorf("a spend in debt: %d %s", r.status, r.body)
	}
	if n := c.shop.count(t, `SELECT count(*) FROM credit_transactions WHERE reason = 'job_match' AND balance_after < ?`, matchCost); n != 0 {
		t.Errorf("%d spends took what was held or not there", n)
	}
	t.Logf("%d spends before the refund, %d refused after it", spent.Load(), refused.Load())
	dbtest.CheckLedger(t, c.shop.db)
}
