package webhook

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// withCharge makes Stripe know one charge, ch_1 of pi_1, and nothing else.
func (s *shop) withCharge(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/charges/ch_1" {
			fmt.Fprint(w, `{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":0,"currency":"eur","payment_intent":"pi_1"}`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"id"}}`)
	}))
	t.Cleanup(server.Close)
	s.Purchase.Stripe = stripeapi.New("sk_test_0123456789", server.URL)
}

// A refund or a dispute may leave out the payment intent. Its charge leads to the payment, if need be by asking Stripe.
func TestMoneyBackThatNamesOnlyItsCharge(t *testing.T) {
	t.Parallel()
	nameless := func(e string) string {
		return strings.Replace(e, `"payment_intent":"pi_1"`, `"payment_intent":null`, 1)
	}
	for name, e := range map[string]string{
		"a refund":  nameless(refund("evt_2", "re_1", 1000)),
		"a dispute": nameless(dispute("evt_2", "created", "needs_response", 1000)),
	} {
		t.Run(name+", Stripe knows the charge", func(t *testing.T) {
			s := newShop(t)
			s.withCharge(t)
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(e)
			s.wantBalance(1200 - 342)
		})
		t.Run(name+", before its purchase", func(t *testing.T) {
			s := newShop(t)
			s.withCharge(t)
			s.deliver(e)
			s.wantBalance(0)
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.wantBalance(1200 - 342)
		})
		t.Run(name+", we know the charge", func(t *testing.T) {
			s := newShop(t) // whose Stripe knows no charge
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(refunded("evt_0", 0))
			s.deliver(e)
			s.wantBalance(1200 - 342)
		})
		t.Run(name+" of a charge that nobody knows waits", func(t *testing.T) {
			s := newShop(t)
			s.withCharge(t)
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(strings.Replace(e, "ch_1", "ch_nobody", 1))
			s.wantBalance(1200)
			if got := s.statusOf("evt_2"); got != models.EventDeferred {
				t.Errorf("event is %s, want deferred", got)
			}
		})
	}
	t.Run("a dispute of nothing takes nothing", func(t *testing.T) {
		s := newShop(t)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(strings.Replace(nameless(dispute("evt_2", "created", "needs_response", 1000)), `"charge":"ch_1"`, `"charge":null`, 1))
		s.wantBalance(1200)
	})
}

func TestRefundThatBeginsWithoutAStatus(t *testing.T) {
	t.Parallel()
	wantInAnyOrder(t, 1200-342, func(s *shop) []string {
		return []string{s.completed("evt_1", "cs_1", "paid"), strings.Replace(refund("evt_2", "re_1", 1000), `"status":"succeeded"`, `"status":null`, 1)}
	})
	wantInAnyOrder(t, 1200, func(s *shop) []string {
		return []string{s.completed("evt_1", "cs_1", "paid"), strings.Replace(refund("evt_2", "re_1", 1000), `"status":"succeeded"`, `"status":null`, 1),
			refundIs("evt_3", "refund.failed", 1, 1000, "failed")}
	})
}

func TestPaymentStatusThatNobodyKnows(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for id, e := range map[string]string{
		"evt_1": s.completed("evt_1", "cs_1", "odd"),
		"evt_2": strings.Replace(link("evt_2", "cs_link", "null", `"ada@example.com"`, `{"credits":"1200"}`), `"paid"`, `"odd"`, 1),
	} {
		s.deliver(e)
		if got := s.statusOf(id); got != models.EventReview {
			t.Errorf("%s is %s, want review", id, got)
		}
	}
	s.wantBalance(0)
}

func TestBookingThatNeverWorksIsShownToAPerson(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.DB.Exec(`ALTER TABLE purchases RENAME TO purchases_away`).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	for _, pause := range pauses {
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

func TestRunBooksWhatIsDueAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.DB.Exec(`ALTER TABLE purchases RENAME TO purchases_away`).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.must(s.DB.Exec(`ALTER TABLE purchases_away RENAME TO purchases`).Error)
	s.clock = s.clock.Add(pauses[0] + time.Second)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	dbtest.Eventually(t, "the event is done", func() bool { return s.statusOf("evt_1") == models.EventDone })
	stop()
	<-ended
	s.wantBalance(1200)
}

func TestAskingWithoutADatabase(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(postgres.Close(s.DB))
	if _, err := s.Overview(context.Background(), 1); err == nil {
		t.Error("an overview was made up")
	}
	if err := s.BookDue(context.Background()); err == nil {
		t.Error("the worker saw nothing wrong")
	}
	if err := s.Retry(context.Background(), "evt_1"); err == nil {
		t.Error("an event was opened again")
	}
}
