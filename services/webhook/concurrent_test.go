package webhook

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// newPaidPurchase orders for a user and returns the event of the paid session and the purchase.
func (s *fixture) newPaidPurchase(user int64, n int, amount int) (string, uuid.UUID) {
	s.t.Helper()
	owner := s.user
	s.user = user
	p := s.order(fmt.Sprintf("cs_%d", n))
	s.user = owner
	return event(fmt.Sprintf("evt_%d", n), "checkout.session.completed",
		fmt.Sprintf(`{"id":"cs_%d","object":"checkout.session","mode":"payment",
		"payment_status":"paid","payment_intent":"pi_%d","client_reference_id":%q,"currency":"eur","amount_subtotal":%d,"amount_total":%d,
		"metadata":{"credits":"1200","purchase_id":%q}}`, n, n, p.ID, amount, amount, p.ID)), p.ID
}

// receiveConcurrently delivers events concurrently.
func (s *fixture) receiveConcurrently(payloads ...string) {
	s.t.Helper()
	dbtest.Concurrently(len(payloads), func(i int) {
		s.receive(payloads[i])
	})
}

// wantEntries wants the entries of a purchase to sum to credits, and its event to have a status.
func (s *fixture) wantEntries(
	user int64, p uuid.UUID, credits models.Credits, status models.StripeEventStatus, eventID string,
) {
	s.t.Helper()
	var sum models.Credits
	s.must(s.DB.Raw(`SELECT coalesce(sum(delta_credits), 0) FROM credit_transactions
		WHERE user_id = ? AND meta ->> 'purchase_id' = ?`, user, p.String()).Scan(&sum).Error)
	if got := s.statusOf(eventID); sum != credits || got != status {
		s.t.Errorf("%s is %s and its purchase granted %d credits, want %s and %d", eventID, got, sum, status, credits)
	}
}

// Twenty concurrent events each get their own outcome.
func TestConcurrentEvents(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	var payloads []string
	var checks []func()
	add := func(user int64, n, amount int, credits models.Credits, status models.StripeEventStatus) {
		payload, p := s.newPaidPurchase(user, n, amount)
		payloads = append(payloads, payload)
		checks = append(checks, func() { s.wantEntries(user, p, credits, status, fmt.Sprintf("evt_%d", n)) })
	}
	for n := 100; n < 112; n++ {
		add(dbtest.User(t, s.DB, fmt.Sprintf("user%d@example.com", n)).ID, n, 3500, 1200, models.EventDone)
	}
	add(s.user, 200, 3500, 1200, models.EventDone) // two purchases of one user
	add(s.user, 201, 3500, 1200, models.EventDone)
	add(s.user, 202, 3400, 0, models.EventReview) // another amount than ordered
	s.deliver(event("evt_refund", "charge.refunded",
		`{"id":"ch_203","object":"charge","amount":3500,"amount_refunded":1750,
		"currency":"eur","payment_intent":"pi_203"}`))
	add(s.user, 203, 3500, 600, models.EventDone) // half of it is refunded already
	payloads = append(payloads, payloads[0], payloads[12])
	second, _ := s.newPaidPurchase(s.user, 204, 3500)
	s.must(s.DB.Exec(`DELETE FROM purchases WHERE checkout_session_id = 'cs_204'`).Error) // now an unknown purchase
	payloads = append(payloads, second, s.completed("evt_1", "cs_1", "paid"))
	s.receiveConcurrently(payloads...)

	for _, check := range checks {
		check()
	}
	if got := s.statusOf("evt_204"); got != models.EventReview {
		t.Errorf("event of an unknown purchase is %s, want review", got)
	}
	s.wantBalance(3*1200 + 600)
	for _, payload := range payloads { // duplicates, one by one
		s.deliver(payload)
	}
	s.wantBalance(3*1200 + 600)
}

// An event that the database refuses fails alone.
func TestOneOfConcurrentEventsFails(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (meta ->> 'session' <> 'cs_107')`).Error)
	payloads, purchases := make([]string, 20), make([]uuid.UUID, 20)
	for i := range payloads {
		payloads[i], purchases[i] = s.newPaidPurchase(s.user, 100+i, 3500)
	}
	s.receiveConcurrently(payloads...)
	for i, p := range purchases {
		if i == 7 {
			s.wantEntries(s.user, p, 0, models.EventFailed, "evt_107")
			continue
		}
		s.wantEntries(s.user, p, 1200, models.EventDone, fmt.Sprintf("evt_%d", 100+i))
	}
	s.wantBalance(19 * 1200)
}

// An event whose payment, purchase or user is locked blocks no other event.
func TestLockedEventBlocksNoOther(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]string{
		"payment":  `SELECT pg_advisory_xact_lock(hashtextextended('payment:pi_103', 0))`,
		"purchase": `SELECT 1 FROM purchases WHERE checkout_session_id = 'cs_103' FOR UPDATE`,
		"user":     `SELECT 1 FROM users WHERE email = 'user103@example.com' FOR UPDATE`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			var payloads []string
			for n := 100; n < 106; n++ {
				payload, _ := s.newPaidPurchase(dbtest.User(t, s.DB, fmt.Sprintf("user%d@example.com", n)).ID, n, 3500)
				payloads = append(payloads, payload)
			}
			blocked := s.DB.Begin()
			s.must(blocked.Exec(lock).Error)
			var waiting sync.WaitGroup
			waiting.Go(func() { s.receiveConcurrently(payloads[3]) })
			dbtest.WaitForBlocked(t, s.DB, 1)
			s.receiveConcurrently(append(payloads[:3:3], payloads[4:]...)...)
			var done []string
			s.must(s.DB.Raw(`SELECT event_id FROM stripe_events WHERE status = 'done'`).Scan(&done).Error)
			if len(done) != 5 {
				t.Errorf("events done while evt_103 waits = %v, want the five others", done)
			}
			s.must(blocked.Rollback().Error)
			waiting.Wait()
			if e := s.event("evt_103"); e.Status != models.EventDone {
				t.Errorf("evt_103 is %s (%s), want done", e.Status, e.LastError)
			}
			dbtest.CheckLedger(t, s.DB)
		})
	}
}
