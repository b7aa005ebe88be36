package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestPaidCheckoutIsBookedOnce(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	paid := s.completed("evt_1", "cs_1", "paid")
	s.deliver(paid)
	s.deliver(paid)
	s.wantBalance(1200)
	s.deliver(s.completed("evt_2", "cs_1", "paid")) // another event of the same session
	s.wantBalance(1200)

	var row models.CreditTransaction
	s.must(s.DB.Take(&row, "user_id = ?", s.user).Error)
	if row.StripeEventID == nil || *row.StripeEventID != "evt_1" || row.Meta.Session != "cs_1" ||
		row.Meta.PaymentIntent != "pi_1" || row.Meta.PurchaseID != s.purchase.ID.String() {
		t.Errorf("entry = %v %+v, want event, session, payment and purchase", row.StripeEventID, row.Meta)
	}
	if s.statusOf("evt_1") != models.EventDone || s.statusOf("evt_2") != models.EventDone {
		t.Errorf("events are %s and %s, want done", s.statusOf("evt_1"), s.statusOf("evt_2"))
	}
}

func TestConcurrentDeliveries(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	same := s.completed("evt_same", "cs_1", "paid")
	dbtest.Concurrently(20, func(i int) {
		payload := same
		if i%2 == 1 {
			payload = s.completed(fmt.Sprintf("evt_%d", i), "cs_1", "paid")
		}
		s.receive(payload)
	})
	s.wantBalance(1200)
}

func TestPaidSessionOfAnOrderWithoutSession(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`UPDATE purchases SET checkout_session_id = NULL`).Error)
	s.deliver(s.completed("evt_1", "cs_lost", "paid"))
	s.wantBalance(1200)
}

func TestDelayedPayment(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_1", "cs_1", "unpaid"))
	s.wantBalance(0)
	succeeded := strings.Replace(s.completed("evt_2", "cs_1", "paid"), "session.completed",
		"session.async_payment_succeeded", 1)
	s.deliver(succeeded)
	s.deliver(succeeded)
	s.wantBalance(1200)
}

func TestInlineTimeoutCountsNoAttempt(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.InlineTimeout = 10 * time.Millisecond
	blocked := s.DB.Begin()
	s.must(blocked.Exec(`SELECT 1 FROM users WHERE id = ? FOR UPDATE`, s.user).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.InlineTimeout = 0
	s.must(blocked.Rollback().Error)
	var row models.StripeEvent
	s.must(s.DB.Take(&row, "event_id = 'evt_1'").Error)
	if row.Attempts != 0 || row.NextAttemptAt.After(s.clock.Add(inlineGrace)) {
		t.Errorf("%d attempts and the next at %s, want 0 and the next within %s", row.Attempts, row.NextAttemptAt,
			inlineGrace)
	}
	s.clock = s.clock.Add(inlineGrace + time.Second)
	s.must(s.BookDue(context.Background()))
	s.wantBalance(1200)
}

func TestOverviewWithoutEvents(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	overview, err := s.Overview(context.Background(), 10)
	if err != nil || overview.LastReceived != nil || len(overview.Open) != 0 {
		t.Errorf("overview = %+v, %v; want no events", overview, err)
	}
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	if overview, err = s.Overview(context.Background(), 10); err != nil || overview.LastReceived == nil {
		t.Errorf("overview = %+v, %v; want the time of the last event", overview, err)
	}
}

func TestUnpaidCheckoutGrantsNothing(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_1", "cs_1", "unpaid"))
	s.wantBalance(0)
	s.deliver(s.completed("evt_2", "cs_1", "paid"))
	s.deliver(s.completed("evt_3", "cs_1", "unpaid")) // a late event does not undo the payment
	s.wantBalance(1200)
}

func TestEventsThatBookNothing(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	const completed = "checkout.session.completed"
	for _, c := range []struct {
		name, payload string
		want          models.StripeEventStatus
	}{
		{"unknown type", event("evt_a", "invoice.paid", `{"id":"in_1"}`), models.EventIgnored},
		{"payment_intent.succeeded", event("evt_b", "payment_intent.succeeded",
			`{"id":"pi_1","amount":3500,"metadata":{"credits":"1200"}}`), models.EventIgnored},
		{"subscription", event("evt_c", completed,
			`{"id":"cs_1","mode":"subscription","payment_status":"paid"}`), models.EventIgnored},
		{"a session of another product", event("evt_d", completed,
			`{"id":"cs_x","mode":"payment","payment_status":"paid","amount_total":1}`), models.EventIgnored},
		{"an unknown session with our metadata", event("evt_k", completed,
			`{"id":"cs_y","mode":"payment","payment_status":"paid","metadata":{"credits":"500"}}`), models.EventReview},
		{"a dispute before its purchase", event("evt_l", "charge.dispute.created",
			`{"id":"dp_1","amount":3500,"charge":"ch_1","payment_intent":"pi_9","status":"needs_response"}`), models.EventDeferred},
		{"a dispute of unknown status", event("evt_n", "charge.dispute.created",
			`{"id":"dp_2","amount":3500,"payment_intent":"pi_9","status":"odd"}`), models.EventReview},
		{"another product's customer", event("evt_o", "customer.deleted", `{"id":"cus_unknown"}`), models.EventIgnored},
		{"another product's expired session", event("evt_p", "checkout.session.expired",
			`{"id":"cs_z","mode":"payment"}`), models.EventIgnored},
		{"a refund of unknown status", event("evt_m", "refund.created",
			`{"id":"re_8","amount":5,"status":"lost","payment_intent":"pi_1"}`), models.EventReview},
		{"another amount than ordered", event("evt_e", completed,
			fmt.Sprintf(`{"id":"cs_1","mode":"payment","payment_status":"paid",
			"payment_intent":"pi_1","currency":"eur","amount_subtotal":1,"amount_total":1,"metadata":{"credits":"1200","purchase_id":%q}}`, s.purchase.ID)), models.EventReview},
		{"another currency", event("evt_f", completed, `{"id":"cs_1","mode":"payment","payment_status":"paid",
			"currency":"usd","amount_subtotal":3500,"amount_total":3500}`), models.EventReview},
		{"real money in test mode", `{"id":"evt_g","object":"event","livemode":true,
			"type":"checkout.session.completed","data":{"object":{"id":"cs_1","payment_status":"paid"}}}`, models.EventReview},
		{"an object without id", event("evt_h", "charge.refunded", `{"amount":5}`), models.EventReview},
		{"a refund without payment", event("evt_i", "refund.created",
			`{"id":"re_9","amount":5,"status":"succeeded","payment_intent":null,"charge":null}`), models.EventIgnored},
		{"a refund before its purchase", refunded("evt_j", 100), models.EventDeferred},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.deliver(c.payload)
			s.deliver(c.payload)
			if id := c.payload[7:12]; s.statusOf(id) != c.want {
				t.Errorf("event is %s, want %s", s.statusOf(id), c.want)
			}
			s.wantBalance(0)
		})
	}
}

func TestWorkerBooksStoredEvents(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	payload := s.completed("evt_1", "cs_1", "paid")
	event, err := verify([]byte(payload), sign(payload, testSecret, s.clock), s.Secrets, s.clock)
	s.must(err)
	_, err = s.store(context.Background(), s.rowOf(event, []byte(payload))) // as if the process died here
	s.must(err)
	s.deliver(payload) // Stripe got no answer and sends it again
	s.must(s.BookDue(context.Background()))
	s.wantBalance(0) // within inlineGrace the worker leaves it to the request
	s.clock = s.clock.Add(inlineGrace + time.Second)
	dbtest.Concurrently(20, func(int) {
		if err := s.BookDue(context.Background()); err != nil {
			t.Errorf("book due: %v", err)
		}
	})
	s.wantBalance(1200)
}

func TestFailedBookingIsRetriedThenGoesToReview(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`ALTER TABLE purchases RENAME TO purchases_away`).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid")) // stored, so Receive returns no error
	if s.statusOf("evt_1") != models.EventFailed {
		t.Fatalf("event is %s, want failed", s.statusOf("evt_1"))
	}
	s.must(s.DB.Exec(`ALTER TABLE purchases_away RENAME TO purchases`).Error)
	s.clock = s.clock.Add(retryPauses[0] + time.Second)
	s.must(s.BookDue(context.Background()))
	s.wantBalance(1200)

	i, err := s.Purchase.Installation(t.Context())
	s.must(err)
	known := newFakeStripe(t, map[string]string{
		"/v1/payment_intents/pi_9": fmt.Sprintf(`{"id":"pi_9","metadata":{%q:%q}}`, stripeapi.TagKey, i.ID),
	})
	s.Purchase.Stripe = known.client() // a payment of this installation whose purchase is missing
	s.deliver(event("evt_2", "charge.refunded", `{"id":"ch_9","amount":5,"amount_refunded":5,"currency":"eur",
		"payment_intent":"pi_9"}`))
	for _, pause := range retryPauses {
		if s.statusOf("evt_2") != models.EventDeferred {
			t.Fatalf("event is %s, want deferred", s.statusOf("evt_2"))
		}
		s.clock = s.clock.Add(pause + time.Second)
		s.must(s.BookDue(context.Background()))
	}
	if s.statusOf("evt_2") != models.EventReview {
		t.Errorf("event is %s after %d attempts, want review", s.statusOf("evt_2"), len(retryPauses)+1)
	}
	s.must(s.Retry(context.Background(), "evt_2"))
	if s.statusOf("evt_2") != models.EventDeferred {
		t.Errorf("event is %s after Retry, want deferred", s.statusOf("evt_2"))
	}
	for _, id := range []string{"evt_1", "evt_unknown"} { // the first is done
		if err := s.Retry(context.Background(), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("retry of %s: error = %v, want not found", id, err)
		}
	}
	overview, err := s.Overview(context.Background(), 10)
	if err != nil || len(overview.Open) != 1 || overview.Open[0].EventID != "evt_2" || len(overview.Open[0].Payload) != 0 {
		t.Errorf("overview = %d open events (%v), want evt_2 without its payload", len(overview.Open), err)
	}
}

func TestDuplicatesCountNoAttempts(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for range 10 {
		s.deliver(refunded("evt_early", 1000))
	}
	var row models.StripeEvent
	s.must(s.DB.Take(&row, "event_id = 'evt_early'").Error)
	if row.Status != models.EventDeferred || row.Attempts != 1 {
		t.Errorf("event is %s after %d attempts, want deferred after 1", row.Status, row.Attempts)
	}
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.wantBalance(1200 - 342)
	if got := s.statusOf("evt_early"); got != models.EventDone {
		t.Errorf("event is %s once its purchase is paid, want done", got)
	}
}

func TestUnavailableDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(postgres.Close(s.DB))
	payload := s.completed("evt_1", "cs_1", "paid")
	if err := s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)); err == nil {
		t.Error("Receive without a database returned no error, want one")
	}
}
