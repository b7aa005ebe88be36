package webhook

// The tests that the design requires:
//
//	each booked event type                       TestEventsThatBookNothing, TestDisputesInAnyOrder,
//	                                             TestFailedAndExpiredSessions, regression_test.go
//	random permutations with duplicates          TestHistories
//	20 parallel identical deliveries             TestD6_TwentyParallelIdenticalDeliveries
//	20 parallel events of one session            TestConcurrentDeliveries
//	kill between storing and booking             TestWorkerBooksStoredEvents
//	database down is a 5xx                       TestUnavailableDatabaseIsAnError, handlers TestWebhookAnswers
//	worker retries a failed booking              TestFailedBookingIsRetriedThenGoesToReview
//	two secrets                                  TestVerify/accepts_the_secret_that_is_being_rotated_in
//	empty secret refuses to start                services/config TestLoadRefuses; TestVerify/refuses_an_empty_secret
//	future timestamp                             TestVerify/refuses_301_seconds_ahead
//	trailing byte                                TestVerify/refuses_a_tampered_body
//	2 MiB body, gzip header                      handlers TestWebhookAnswers
//	refund list of a foreign charge              TestRefundListOfAForeignCharge
//	two tabs one customer                        services/purchase TestTwentyStartsAtOnce
//	deleted customer                             services/purchase TestDeletedCustomerIsReplaced, TestDeletedCustomerKeepsTheBalance
//	reload of the success page                   handlers/e2e TestReturnBeforeTheWebhook
//	success page of another user's session       handlers/e2e TestReturnBeforeTheWebhook, services/purchase TestStart
//	int64 overflow in credits                    TestD6_OverflowInCredits, services/purchase TestParseCredits, TestTarget
//	rounding series                              TestPredecessor_EachPartialRefundFloored, services/purchase TestTargetProperty
//	promotion                                    TestD6_Promotion
//	CHF                                          TestD6_SwissFrancs
//	guest, mail case                             TestSessionsStartedElsewhere
//	API down, booked later                       TestD6_StripeDownThenBooked

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestD6_TwentyParallelIdenticalDeliveries(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	paid := s.completed("evt_1", "cs_1", "paid")
	dbtest.Concurrently(20, func(int) {
		s.receive(paid)
	})
	s.wantBalance(1200)
	var entries int64
	s.must(s.DB.Raw(`SELECT count(*) FROM credit_transactions`).Scan(&entries).Error)
	if entries != 1 || s.statusOf("evt_1") != models.EventDone {
		t.Errorf("%d entries and event %s, want 1 and done", entries, s.statusOf("evt_1"))
	}
}

func TestD6_OverflowInCredits(t *testing.T) {
	t.Parallel()
	for _, credits := range []string{
		"1000001", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e9",
	} {
		s := newFixture(t)
		s.deliver(strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"credits":"1200"`,
			fmt.Sprintf(`"credits":%q`, credits), 1))
		s.wantBalance(1200) // the purchase's credits count
		s.deliver(link("evt_2", "cs_shoes", "null", `"ada@example.com"`, fmt.Sprintf(`{"credits":%q}`, credits)))
		s.wantBalance(1200)
	}
	t.Run("of an amount", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(refunded("evt_2", 9223372036854775807))
		s.deliver(dispute("evt_3", "created", "needs_response", 9223372036854775807)) // the sum exceeds int64
		s.deliver(refund("evt_4", "re_1", 9223372036854775807))
		if got := s.balance(); got != 0 {
			t.Errorf("balance = %d credits, want 0", got)
		}
		dbtest.CheckLedger(t, s.DB)
	})
}

// freePurchase is the event of a session that a promotion code paid in full.
func freePurchase(s *fixture) string {
	paid := strings.Replace(s.completed("evt_free", "cs_1", "no_payment_required"), `"payment_intent":"pi_1"`,
		`"payment_intent":null`, 1)
	return strings.Replace(paid, `"amount_total":3500`, `"amount_total":0`, 1)
}

func TestD6_Promotion(t *testing.T) {
	t.Parallel()
	t.Run("full discount", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(freePurchase(s))
		s.deliver(strings.Replace(freePurchase(s), "evt_free", "evt_2", 1))
		s.wantBalance(1200)
	})
	t.Run("half discount: all credits, refunds in proportion to the payment", func(t *testing.T) {
		wantInAnyOrder(t, 600, func(s *fixture) []string {
			half := strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"amount_total":3500`, `"amount_total":1750`, 1)
			return []string{half, refund("evt_2", "re_1", 875)}
		})
	})
}

func TestD6_SwissFrancs(t *testing.T) {
	t.Parallel()
	t.Run("converted from our euros", func(t *testing.T) {
		wantInAnyOrder(t, 600, func(s *fixture) []string {
			francs := strings.Replace(s.completed("evt_1", "cs_1", "paid"),
				`"currency":"eur","amount_subtotal":3500,"amount_total":3500`,
				`"currency":"chf","amount_subtotal":3300,"amount_total":3300,
				"currency_conversion":{"source_currency":"eur","amount_subtotal":3500,"amount_total":3500}`, 1)
			return []string{francs, strings.Replace(refund("evt_2", "re_1", 1650), "eur", "chf", 1)}
		})
	})
	t.Run("instead of our euros", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"currency":"eur"`, `"currency":"chf"`, 1))
		s.wantBalance(0)
		if got := s.purchaseStatus(); got != models.PurchaseReview {
			t.Errorf("purchase is %s, want review", got)
		}
	})
}

func TestD6_StripeDownThenBooked(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	var up atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			http.Error(w, `{"error":{"type":"api_error"}}`, http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, lineItems("price_1200 x 2"))
	}))
	t.Cleanup(server.Close)
	s.Purchase.Stripe = stripeapi.New("sk_test_0123456789", server.URL)
	s.deliver(link("evt_1", "cs_items", "null", `"ada@example.com"`, `{}`))
	if got := s.statusOf("evt_1"); got != models.EventFailed {
		t.Fatalf("event is %s, want failed", got)
	}
	up.Store(true)
	s.clock = s.clock.Add(retryPauses[0] + time.Second)
	s.must(s.BookDue(context.Background()))
	s.wantBalance(2400)
}
