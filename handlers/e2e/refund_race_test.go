package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// While a user spends as fast as possible, a refund and its charge arrive a hundred times each at two replicas. The
// refund takes the bought credits back once, spends never cause a debt, and a user in debt cannot spend.
func TestRefundWhileSpending(t *testing.T) {
	const spenders, times = 16, 60
	rs := newReplicas(t, 1)
	p := rs.fx.newPurchase(t, rs.fx.users[0])
	send := newEventSender(t, func(attempt int) string { return rs.urls[attempt%2] })
	send.send(t, p.paid())
	held := rs.call(t, 0, http.MethodPost, "/api/credits/holds", "before",
		fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, p.user))
	if held.status != http.StatusCreated {
		t.Fatalf("hold: status %d, want 201: %s", held.status, held.body)
	}
	var spent, refused atomic.Int64
	var work sync.WaitGroup
	for n := range spenders {
		work.Go(func() {
			for i := range times {
				switch r := rs.spend(t, (n+i)%2, p.user, fmt.Sprintf("%d %d", n, i)); r.status {
				case http.StatusCreated:
					spent.Add(1)
				case http.StatusPaymentRequired:
					refused.Add(1)
				default:
					t.Errorf("spend: status %d, want 201 or 402: %s", r.status, r.body)
				}
			}
		})
	}
	refund, charge := p.refund(packageCents), p.charge()
	work.Go(func() {
		dbtest.Reaches(t, "spends before the refund", func() int64 { return min(spent.Load(), 20) }, 20)
		send.sendAll(t, 100, refund, charge)
	})
	work.Wait()
	if refused.Load() == 0 {
		t.Error("0 spends refused, want some after the refund")
	}

	if got := rs.fx.count(t,
		`SELECT coalesce(-sum(delta_credits), 0) FROM credit_transactions WHERE reason = 'refund'`); got != packageCredits {
		t.Errorf("refunds take %d credits, want %d", got, packageCredits)
	}
	balance := rs.fx.count(t, `SELECT credits_balance FROM users WHERE id = ?`, p.user)
	if balance != -spent.Load()*jobMatchCredits {
		t.Errorf("balance = %d credits after %d spends, want %d", balance, spent.Load(), -spent.Load()*jobMatchCredits)
	}
	if r := rs.spend(t, 0, p.user, "in debt"); r.status != http.StatusPaymentRequired {
		t.Errorf("spend in debt: status %d, want 402: %s", r.status, r.body)
	}
	if n := rs.fx.count(t, `SELECT count(*) FROM credit_transactions WHERE reason = 'job_match' AND balance_after < ?`,
		jobMatchCredits); n != 0 {
		t.Errorf("%d spends took held or missing credits, want 0", n)
	}
	t.Logf("%d spends before the refund, %d refused after it", spent.Load(), refused.Load())
	dbtest.CheckLedger(t, rs.fx.db)
}
