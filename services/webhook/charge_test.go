package webhook

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/periodic"
)

// A refund or dispute may lack the payment intent. Its charge leads to the payment, fetched from Stripe if necessary.
func TestRefundsAndDisputesWithoutPaymentIntent(t *testing.T) {
	t.Parallel()
	withoutIntent := func(e string) string {
		return strings.Replace(e, `"payment_intent":"pi_1"`, `"payment_intent":null`, 1)
	}
	for name, e := range map[string]string{
		"a refund":  withoutIntent(refund("evt_2", "re_1", 1000)),
		"a dispute": withoutIntent(dispute("evt_2", "created", "needs_response", 1000)),
	} {
		t.Run(name+" whose charge Stripe knows", func(t *testing.T) {
			s := newFixture(t)
			s.serveStripe(map[string]string{"/v1/charges/ch_1": chargeOne})
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(e)
			s.wantBalance(1200 - 342)
		})
		t.Run(name+" before its purchase", func(t *testing.T) {
			s := newFixture(t)
			s.serveStripe(map[string]string{"/v1/charges/ch_1": chargeOne})
			s.deliver(e)
			s.wantBalance(0)
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.wantBalance(1200 - 342)
		})
		t.Run(name+" whose charge is stored", func(t *testing.T) {
			s := newFixture(t)
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(refunded("evt_0", 0))
			s.deliver(e)
			s.wantBalance(1200 - 342)
		})
		t.Run(name+" of an unknown charge waits", func(t *testing.T) {
			s := newFixture(t)
			s.serveStripe(map[string]string{"/v1/charges/ch_1": chargeOne})
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(strings.Replace(e, "ch_1", "ch_unknown", 1))
			s.wantBalance(1200)
			if got := s.statusOf("evt_2"); got != models.EventDeferred {
				t.Errorf("event is %s, want deferred", got)
			}
		})
	}
	t.Run("a dispute without payment and charge takes nothing", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(strings.Replace(withoutIntent(dispute("evt_2", "created", "needs_response", 1000)), `"charge":"ch_1"`,
			`"charge":null`, 1))
		s.wantBalance(1200)
	})
}

func TestRefundWithoutStatus(t *testing.T) {
	t.Parallel()
	withoutStatus := strings.Replace(refund("evt_2", "re_1", 1000), `"status":"succeeded"`, `"status":null`, 1)
	wantInAnyOrder(t, 1200-342, func(s *fixture) []string {
		return []string{s.completed("evt_1", "cs_1", "paid"), withoutStatus}
	})
	wantInAnyOrder(t, 1200, func(s *fixture) []string {
		return []string{s.completed("evt_1", "cs_1", "paid"), withoutStatus,
			refundEvent("evt_3", "refund.failed", 1, 1000, "failed")}
	})
}

func TestUnknownPaymentStatus(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	for id, e := range map[string]string{
		"evt_1": s.completed("evt_1", "cs_1", "odd"),
		"evt_2": strings.Replace(link("evt_2", "cs_link", "null", `"ada@example.com"`, `{"credits":"1200"}`), `"paid"`,
			`"odd"`, 1),
	} {
		s.deliver(e)
		if got := s.statusOf(id); got != models.EventReview {
			t.Errorf("%s is %s, want review", id, got)
		}
	}
	s.wantBalance(0)
}

func TestFailingBookingGoesToReview(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`ALTER TABLE purchases RENAME TO purchases_away`).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	for _, pause := range retryPauses {
		if got := s.statusOf("evt_1"); got != models.EventFailed {
			t.Fatalf("event is %s, want failed", got)
		}
		s.clock = s.clock.Add(pause + time.Second)
		s.must(s.BookDue(context.Background()))
	}
	if got := s.statusOf("evt_1"); got != models.EventReview {
		t.Errorf("event is %s after its last attempt, want review", got)
	}
	s.must(s.DB.Exec(`ALTER TABLE purchases_away RENAME TO purchases`).Error)
	s.must(s.Retry(context.Background(), "evt_1"))
	s.wantBalance(1200)
}

func TestRunBooksDueEventsUntilCanceled(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`ALTER TABLE purchases RENAME TO purchases_away`).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.must(s.DB.Exec(`ALTER TABLE purchases_away RENAME TO purchases`).Error)
	s.must(s.DB.Exec(`UPDATE stripe_events SET next_attempt_at = now()`).Error)
	s.clock = s.clock.Add(time.Minute)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		schedule := periodic.Schedule{DB: s.DB, Jobs: s.Jobs(), Log: s.Log}
		schedule.Run(ctx)
	}()
	dbtest.Eventually(t, "the event is done", func() bool { return s.statusOf("evt_1") == models.EventDone })
	stop()
	<-ended
	s.wantBalance(1200)
}

func TestErrorsWithoutADatabase(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(postgres.Close(s.DB))
	if _, err := s.Overview(context.Background(), 1); err == nil {
		t.Error("Overview returned no error, want one")
	}
	if err := s.BookDue(context.Background()); err == nil {
		t.Error("BookDue returned no error, want one")
	}
	if err := s.Retry(context.Background(), "evt_1"); err == nil {
		t.Error("Retry returned no error, want one")
	}
}
