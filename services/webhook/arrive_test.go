package webhook

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func (s *shop) event(id string) models.StripeEvent {
	s.t.Helper()
	var row models.StripeEvent
	s.must(s.DB.Take(&row, "event_id = ?", id).Error)
	return row
}

func TestAnEventAndItsCreditsAreOneTransaction(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	var together bool
	s.must(s.DB.Raw(`SELECT e.xmin = c.xmin AND p.xmin = c.xmin AND u.xmin = c.xmin FROM stripe_events e JOIN credit_transactions c ON c.stripe_event_id = e.event_id
		JOIN users u ON u.id = c.user_id JOIN purchases p ON p.user_id = u.id`).Scan(&together).Error)
	if !together {
		t.Error("the event, its purchase, its line and the balance were written by several transactions, want one")
	}
	if e := s.event("evt_1"); e.Status != models.EventDone || e.Attempts != 1 || e.ProcessedAt == nil || e.PaymentRef != "pi_1" || e.ObjectID != "cs_1" || len(e.Payload) == 0 {
		t.Errorf("event = %s after %d attempts, processed %v, about %s %s with %d bytes", e.Status, e.Attempts, e.ProcessedAt, e.ObjectID, e.PaymentRef, len(e.Payload))
	}
}

// Whatever keeps an event from being booked, it is stored before it is answered, once, with nothing half booked.
func TestWhatCannotBeBookedIsStored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		spoil, mend func(s *shop)
		status      models.StripeEventStatus
		attempts    int
		next        time.Duration
	}{
		{"an error in the middle", func(s *shop) {
			s.must(s.DB.Exec(`ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (delta_credits = 0)`).Error)
		}, func(s *shop) { s.must(s.DB.Exec(`ALTER TABLE credit_transactions DROP CONSTRAINT spoilt`).Error) }, models.EventFailed, 1, pauses[0]},
		{"an error at commit", func(s *shop) {
			s.must(s.DB.Exec(`CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'spoilt'; END $$`).Error)
			s.must(s.DB.Exec(`CREATE CONSTRAINT TRIGGER spoilt AFTER INSERT ON credit_transactions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION spoil()`).Error)
		}, func(s *shop) { s.must(s.DB.Exec(`DROP FUNCTION spoil CASCADE`).Error) }, models.EventFailed, 1, pauses[0]},
		{"a panic", func(s *shop) { s.broken, s.Purchase.Now = s.Purchase.Now, nil }, func(s *shop) { s.Purchase.Now = s.broken }, models.EventFailed, 1, pauses[0]},
		{"a lock that is not given", func(s *shop) {
			s.blocked, s.InlineTimeout = s.DB.Begin(), 10*time.Millisecond
			s.must(s.blocked.Exec(`SELECT 1 FROM purchases FOR UPDATE`).Error)
		}, func(s *shop) { s.must(s.blocked.Rollback().Error) }, models.EventReceived, 0, inlineGrace},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			c.spoil(s)
			payload := s.completed("evt_1", "cs_1", "paid")
			s.deliver(payload)
			e := s.event("evt_1")
			if e.Status != c.status || e.Attempts != c.attempts || e.LastError == "" || !e.NextAttemptAt.Equal(s.clock.Add(c.next)) || e.ProcessedAt != nil {
				t.Errorf("event is %s (%q) after %d attempts, next in %s; want %s after %d, next in %s", e.Status, e.LastError, e.Attempts,
					e.NextAttemptAt.Sub(s.clock), c.status, c.attempts, c.next)
			}
			if strings.Contains(string(e.LastError), "cs_1") && strings.Contains(string(e.LastError), "{") {
				t.Errorf("the error quotes the event: %q", e.LastError)
			}
			c.mend(s)
			s.wantBalance(0)
			s.deliver(payload) // with us already, and in the worker's hands
			s.wantBalance(0)
			s.clock = s.clock.Add(c.next + time.Second)
			s.must(s.BookDue(context.Background()))
			s.wantBalance(1200)
			s.deliver(payload)
			s.wantBalance(1200)
		})
	}
}

// Twenty deliveries of an event that cannot be booked: it is stored once, and its failure counted once.
func TestTwentyDeliveriesThatCannotBeBooked(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.DB.Exec(`ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (delta_credits = 0)`).Error)
	payload := s.completed("evt_1", "cs_1", "paid")
	dbtest.Concurrently(20, func(int) {
		if err := s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)); err != nil {
			t.Errorf("receive: %v", err)
		}
	})
	if e := s.event("evt_1"); e.Status != models.EventFailed || e.Attempts != 1 {
		t.Errorf("event is %s after %d attempts, want failed after 1", e.Status, e.Attempts)
	}
	s.must(s.DB.Exec(`ALTER TABLE credit_transactions DROP CONSTRAINT spoilt`).Error)
	s.must(s.Retry(context.Background(), "evt_1"))
	s.wantBalance(1200)
}

// What must be asked is asked when the event is safe: a process that ends while Stripe thinks has lost nothing.
func TestStripeIsAskedOnceTheEventIsStored(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	stored := make(chan bool, 100)
	asked, _ := s.answering(map[string]string{"/v1/charges/ch_1": `{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":0,"currency":"eur","payment_intent":"pi_1"}`},
		func() {
			var n int64
			err := s.DB.Raw(`SELECT count(*) FROM stripe_events WHERE event_id = 'evt_2' AND status = 'received'`).Scan(&n).Error
			stored <- err == nil && n == 1
		})
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	payload := chargeDisputed("evt_2", "ch_1")
	dbtest.Concurrently(20, func(int) {
		if err := s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)); err != nil {
			t.Errorf("receive: %v", err)
		}
	})
	if asked.Load() != 1 || !<-stored {
		t.Errorf("Stripe was asked %d times, want once, with the event stored", asked.Load())
	}
	s.wantBalance(0)
	if got := s.statusOf("evt_2"); got != models.EventDone {
		t.Errorf("event is %s, want done", got)
	}
}
