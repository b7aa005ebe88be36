package webhook

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// dispute is an event of the dispute dp_1.
func dispute(id, kind, status string, amount int64) string {
	return event(id, "charge.dispute."+kind, fmt.Sprintf(`{"id":"dp_1","object":"dispute","amount":%d,"currency":"eur",
		"status":%q,"charge":"ch_1","payment_intent":"pi_1"}`, amount, status))
}

// A dispute takes credits when it is opened and returns them when it is won, in whatever order and however often its
// events arrive, even before the purchase. An inquiry takes nothing.
func TestDisputesInAnyOrder(t *testing.T) {
	t.Parallel()
	const open, warning = "needs_response", "warning_needs_response"
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 2))
	for _, c := range []struct {
		name   string
		events []string
		want   models.Credits
	}{
		{"opened", []string{dispute("evt_1", "created", open, 3500), dispute("evt_2", "funds_withdrawn", open, 3500)}, 0},
		{"won", []string{
			dispute("evt_1", "created", open, 3500), dispute("evt_2", "updated", "under_review", 3500),
			dispute("evt_3", "closed", "won", 3500), dispute("evt_4", "funds_reinstated", "won", 3500),
		}, 1200},
		{"lost", []string{dispute("evt_1", "created", open, 3500), dispute("evt_2", "closed", "lost", 3500)}, 0},
		{"lost and won late", []string{
			dispute("evt_1", "closed", "lost", 3500), dispute("evt_2", "closed", "won", 3500),
		}, 1200},
		{"an inquiry", []string{
			dispute("evt_1", "created", warning, 3500), dispute("evt_2", "closed", "warning_closed", 3500),
		}, 1200},
		{"prevented", []string{dispute("evt_1", "created", "prevented", 3500)}, 1200},
		{"opened and prevented", []string{
			dispute("evt_1", "created", open, 3500), dispute("evt_2", "closed", "prevented", 3500),
		}, 1200},
		{"an inquiry that became a dispute", []string{
			dispute("evt_1", "created", warning, 3500), dispute("evt_2", "updated", open, 3500),
		}, 0},
		{"won and lost in arbitration", []string{
			dispute("evt_1", "created", open, 3500), dispute("evt_2", "closed", "won", 3500),
			dispute("evt_3", "closed", "lost", 3500),
		}, 0},
		{"raised by the bank", []string{
			dispute("evt_1", "created", open, 1000), dispute("evt_2", "updated", open, 3500),
		}, 0},
		{"lowered by the bank", []string{
			dispute("evt_1", "created", open, 3500), dispute("evt_2", "updated", open, 1000),
		}, 1200 - 342},
		{"in another currency, with the amount in ours", []string{
			strings.Replace(dispute("evt_1", "created", open, 1146), `"currency":"eur"`,
				`"currency":"usd","balance_transactions":[{"amount":-1000,"currency":"eur"}]`, 1),
		}, 1200 - 342},
		{"for a part of the payment", []string{dispute("evt_1", "created", open, 1000)}, 1200 - 342},
		{"after a refund, at most the payment", []string{
			refunded("evt_r", 1000), dispute("evt_1", "created", open, 3500),
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for round := range dbtest.Depth(1, 4) {
				s := newFixture(t)
				events := []string{s.completed("evt_paid", "cs_1", "paid")}
				for i, e := range c.events {
					events = append(events, at(int64(i), e))
				}
				events = append(events, events...)
				if round > 0 {
					random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				}
				for _, e := range events {
					s.deliver(e)
				}
				if s.wantBalance(c.want); t.Failed() {
					t.Fatalf("seed %d, round %d", seed, round)
				}
			}
		})
	}
}

func TestReinstatedFundsOfALostDisputeGoToReview(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(dispute("evt_1", "closed", "lost", 3500))
	s.deliver(dispute("evt_2", "funds_reinstated", "lost", 3500))
	s.wantBalance(0)
	if got := s.statusOf("evt_2"); got != models.EventReview {
		t.Errorf("event is %s, want review", got)
	}
}

// ended is the event of the purchase's unpaid Checkout Session that ended.
func (s *fixture) ended(id, kind string) string {
	return strings.Replace(s.completed(id, "cs_1", "unpaid"), "session.completed", "session."+kind, 1)
}

func (s *fixture) purchaseStatus() models.PurchaseStatus {
	s.t.Helper()
	var p models.Purchase
	s.must(s.DB.Take(&p, "id = ?", s.purchase.ID).Error)
	return p.Status
}

func TestFailedAndExpiredSessions(t *testing.T) {
	t.Parallel()
	t.Run("expired", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(s.ended("evt_1", "expired"))
		if got := s.purchaseStatus(); got != models.PurchaseExpired {
			t.Errorf("purchase is %s, want expired", got)
		}
		s.deliver(s.completed("evt_2", "cs_1", "paid")) // paid overrides expired
		s.wantBalance(1200)
		s.deliver(s.ended("evt_3", "expired"))
		if got := s.purchaseStatus(); got != models.PurchasePaid {
			t.Errorf("purchase is %s, want paid", got)
		}
	})
	t.Run("failed", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(s.completed("evt_1", "cs_1", "unpaid"))
		s.deliver(s.ended("evt_2", "async_payment_failed"))
		s.wantBalance(0)
		if got := s.purchaseStatus(); got != models.PurchaseFailed {
			t.Errorf("purchase is %s, want failed", got)
		}
	})
	t.Run("failed after booking goes to review", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(s.ended("evt_2", "async_payment_failed"))
		s.wantBalance(1200)
		if got := s.statusOf("evt_2"); got != models.EventReview {
			t.Errorf("event is %s, want review", got)
		}
	})
}

func TestDeletedCustomerKeepsTheBalance(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.must(s.DB.Exec(`UPDATE users SET stripe_customer_id = 'cus_1'`).Error)
	s.must(s.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES ('cus_1', ?, false)`, s.user).
		Error)
	deleted := event("evt_d", "customer.deleted", `{"id":"cus_1","object":"customer"}`)
	s.deliver(deleted)
	s.deliver(deleted)
	s.wantBalance(1200)
	var user models.User
	s.must(s.DB.Take(&user, "id = ?", s.user).Error)
	if user.StripeCustomerID != "" {
		t.Errorf("user has customer %s, want none", user.StripeCustomerID)
	}
}
