package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func (s *fixture) event(id string) models.StripeEvent {
	s.t.Helper()
	var row models.StripeEvent
	s.must(s.DB.Take(&row, "event_id = ?", id).Error)
	return row
}

func TestEventAndEntryAreOneTransaction(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	var oneTransaction bool
	s.must(s.DB.Raw(`SELECT e.xmin = c.xmin AND p.xmin = c.xmin AND u.xmin = c.xmin FROM stripe_events e
		JOIN credit_transactions c ON c.stripe_event_id = e.event_id
		JOIN users u ON u.id = c.user_id JOIN purchases p ON p.user_id = u.id`).Scan(&oneTransaction).Error)
	if !oneTransaction {
		t.Error("event, purchase, entry and balance were written by several transactions, want one")
	}
	e := s.event("evt_1")
	if e.Status != models.EventDone || e.Attempts != 1 || e.ProcessedAt == nil || e.PaymentRef != "pi_1" ||
		e.ObjectID != "cs_1" || len(e.Payload) == 0 {
		t.Errorf(
			"event is %s after %d attempts, processed at %v, about %s and %s with %d bytes; want done after 1, about cs_1 and pi_1",
			e.Status, e.Attempts, e.ProcessedAt, e.ObjectID, e.PaymentRef, len(e.Payload))
	}
}

// Whatever makes booking fail, the event is stored once before the answer, and nothing is partly booked.
func TestUnbookableEventIsStored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		fail, repair func(s *fixture)
		status       models.StripeEventStatus
		attempts     int
		next         time.Duration
	}{
		{"an error in the transaction", func(s *fixture) {
			s.must(s.DB.Exec(`ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (delta_credits = 0)`).Error)
		}, func(s *fixture) {
			s.must(s.DB.Exec(`ALTER TABLE credit_transactions DROP CONSTRAINT spoilt`).Error)
		}, models.EventFailed, 1, retryPauses[0]},
		{"an error at commit", func(s *fixture) {
			s.must(s.DB.Exec(`CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql
				AS $$ BEGIN RAISE EXCEPTION 'spoilt'; END $$`).Error)
			s.must(s.DB.Exec(`CREATE CONSTRAINT TRIGGER spoilt AFTER INSERT ON credit_transactions
				DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spoil()`).Error)
		}, func(s *fixture) { s.must(s.DB.Exec(`DROP FUNCTION spoil CASCADE`).Error) }, models.EventFailed, 1,
			retryPauses[0]},
		{"a panic", func(s *fixture) { s.savedNow, s.Purchase.Now = s.Purchase.Now, nil },
			func(s *fixture) { s.Purchase.Now = s.savedNow }, models.EventFailed, 1, retryPauses[0]},
		{"a lock held by another transaction", func(s *fixture) {
			s.blocked, s.InlineTimeout = s.DB.Begin(), 10*time.Millisecond
			s.must(s.blocked.Exec(`SELECT 1 FROM purchases FOR UPDATE`).Error)
		}, func(s *fixture) { s.must(s.blocked.Rollback().Error) }, models.EventReceived, 0, inlineGrace},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newFixture(t)
			c.fail(s)
			payload := s.completed("evt_1", "cs_1", "paid")
			s.deliver(payload)
			e := s.event("evt_1")
			if e.Status != c.status || e.Attempts != c.attempts || e.LastError == "" ||
				!e.NextAttemptAt.Equal(s.clock.Add(c.next)) || e.ProcessedAt != nil {
				t.Errorf("event is %s (%q) after %d attempts, next in %s; want %s after %d, next in %s", e.Status, e.LastError,
					e.Attempts,
					e.NextAttemptAt.Sub(s.clock), c.status, c.attempts, c.next)
			}
			if strings.Contains(string(e.LastError), "cs_1") && strings.Contains(string(e.LastError), "{") {
				t.Errorf("error = %q, want it not to quote the event", e.LastError)
			}
			c.repair(s)
			s.wantBalance(0)
			s.deliver(payload) // a duplicate is left to the worker
			s.wantBalance(0)
			s.clock = s.clock.Add(c.next + time.Second)
			s.must(s.BookDue(context.Background()))
			s.wantBalance(1200)
			s.deliver(payload)
			s.wantBalance(1200)
		})
	}
}

// An event that cannot be booked is stored once and counts one attempt, however many deliveries are concurrent.
func TestConcurrentUnbookableDeliveries(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (delta_credits = 0)`).Error)
	payload := s.completed("evt_1", "cs_1", "paid")
	dbtest.Concurrently(20, func(int) {
		s.receive(payload)
	})
	if e := s.event("evt_1"); e.Status != models.EventFailed || e.Attempts != 1 {
		t.Errorf("event is %s after %d attempts, want failed after 1", e.Status, e.Attempts)
	}
	s.must(s.DB.Exec(`ALTER TABLE credit_transactions DROP CONSTRAINT spoilt`).Error)
	s.must(s.Retry(context.Background(), "evt_1"))
	s.wantBalance(1200)
}

// Facts are fetched from Stripe after the event is stored, so a process that dies during the request loses nothing.
func TestEventIsStoredBeforeStripeIsAsked(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	stored := make(chan bool, 100)
	requests, _ := s.serveStripe(map[string]string{"/v1/charges/ch_1": chargeOne},
		func() {
			var n int64
			err := s.DB.Raw(`SELECT count(*) FROM stripe_events WHERE event_id = 'evt_2' AND status = 'received'`).Scan(&n).Error
			stored <- err == nil && n == 1
		})
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	payload := chargeDisputed("evt_2", "ch_1")
	dbtest.Concurrently(20, func(int) {
		s.receive(payload)
	})
	if requests.Load() != 1 || !<-stored {
		t.Errorf("%d requests to Stripe, want 1 after the event was stored", requests.Load())
	}
	s.wantBalance(0)
	if got := s.statusOf("evt_2"); got != models.EventDone {
		t.Errorf("event is %s, want done", got)
	}
}

// The ids of an event's object are stored if PostgreSQL can index them, whatever Stripe sends.
func TestLongIDsOfObjects(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for id, c := range map[string]struct{ object, payment int }{
		"evt_longest": {2*maxIDLength - 4, 4}, "evt_longer": {2*maxIDLength - 3, 4}, "evt_payment": {1, 2 * maxIDLength},
	} {
		s.deliver(event(id, "charge.updated", fmt.Sprintf(`{"id":%q,"object":"charge","payment_intent":%q}`,
			strings.Repeat("c", c.object), strings.Repeat("p", c.payment))))
		want := c.object+c.payment <= 2*maxIDLength
		if e := s.event(id); (len(e.ObjectID) == c.object) != want || (len(e.PaymentRef) == c.payment) != want ||
			!want && e.ObjectID+e.PaymentRef != "" {
			t.Errorf("%s: stored ids of %d and %d bytes; want %d and %d, or none: %t", id, len(e.ObjectID), len(e.PaymentRef),
				c.object, c.payment, want)
		}
	}
}
