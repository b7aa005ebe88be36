package webhook

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

func TestFailedRefundGivesTheCreditsBack(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	failed := strings.Replace(refund("evt_f", "re_1", 1000), `"status":"succeeded"`, `"status":"failed"`, 1)
	failed = strings.Replace(failed, "refund.created", "charge.refund.updated", 1)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(refunded("evt_c1", 1000))
	s.deliver(refund("evt_r1", "re_1", 1000))
	s.wantBalance(1200 - 342)
	s.deliver(failed)
	s.wantBalance(1200)
	s.deliver(refund("evt_r2", "re_1", 1000)) // a late event does not undo the failure
	s.wantBalance(1200)
}

// One refund is reported by two events of different types, and a full refund in three parts. In any order, even
// before the purchase, and with every event delivered twice, the result is the same.
func TestRefundsInAnyOrder(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for _, c := range []struct {
		name   string
		events func(s *fixture) []string
		want   models.Credits
	}{
		{"one partial refund",
			func(s *fixture) []string { return []string{refunded("evt_c1", 1000), refund("evt_r1", "re_1", 1000)} }, 1200 - 342},
		{"charge events alone",
			func(s *fixture) []string { return []string{refunded("evt_c1", 1000), refunded("evt_c2", 2000)} }, 1200 - 685},
		{"refund events alone", func(s *fixture) []string {
			return []string{refund("evt_r1", "re_1", 1000), refund("evt_r2", "re_2", 1000)}
		}, 1200 - 685},
		{"full refund in three parts", func(s *fixture) []string {
			return []string{
				refunded("evt_c1", 1000), refund("evt_r1", "re_1", 1000), refunded("evt_c2", 2000), refund("evt_r2", "re_2", 1000),
				refunded("evt_c3", 3500), refund("evt_r3", "re_3", 1500),
			}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for round := range dbtest.Depth(2, 6) {
				s := newFixture(t)
				events := append(c.events(s), s.completed("evt_paid", "cs_1", "paid"))
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
				var waiting int64
				s.must(s.DB.Raw(`SELECT count(*) FROM stripe_events WHERE status <> 'done'`).Scan(&waiting).Error)
				if waiting != 0 {
					t.Errorf("seed %d, round %d: %d events are not done, want 0", seed, round, waiting)
				}
			}
		})
	}
}

func TestConcurrentPurchaseAndRefund(t *testing.T) {
	t.Parallel()
	for range dbtest.Depth(2, 5) {
		s := newFixture(t)
		payloads := []string{
			s.completed("evt_paid", "cs_1", "paid"), refunded("evt_c1", 1000), refund("evt_r1", "re_1", 1000),
			s.completed("evt_paid2", "cs_1", "paid"),
		}
		dbtest.Concurrently(20, func(i int) {
			p := payloads[i%len(payloads)]
			s.receive(p)
		})
		s.wantBalance(1200 - 342)
	}
}

func TestRefundOfSpentCreditsLeavesADebt(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.must(postgres.Transaction(context.Background(), s.DB, func(tx models.Tx) error {
		return tx.Exec(`WITH spent AS (INSERT INTO credit_transactions (user_id, delta_credits, reason)
				VALUES (?, -1000, 'resume_analysis') RETURNING 1)
			UPDATE users SET credits_balance = credits_balance - 1000 WHERE id = ?`, s.user, s.user).Error
	}))
	s.deliver(refunded("evt_c1", 3500))
	s.wantBalance(-1000)
}
