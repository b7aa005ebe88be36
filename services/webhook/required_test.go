package webhook

// What the design demands to be tested, and where it is:
//
//	each row of the table of events              TestEventsThatBookNothing, TestDisputesInAnyOrder, TestSessionsThatCameToNothing, regression_test.go
//	random permutations with duplicates          TestHistories
//	20 parallel identical deliveries             TestD6_TwentyParallelIdenticalDeliveries
//	20 parallel events of one session            TestTwentyDeliveriesAtOnce
//	kill between storing and booking             TestWorkerBooksWhatWasLeft
//	database down is a 5xx                       TestDatabaseAwayIsNoSuccess, handlers TestWebhookAnswers
//	worker retries a failed booking              TestFailedBookingIsTriedAgainAndThenShownToAPerson
//	two secrets                                  TestVerify/accepts_the_secret_that_is_being_rotated_in
//	empty secret refuses to start                services/config TestLoadRefuses; TestVerify/refuses_an_empty_secret
//	future timestamp                             TestVerify/refuses_301_seconds_ahead
//	trailing byte                                TestVerify/refuses_a_tampered_body
//	2 MiB body, gzip header                      handlers TestWebhookAnswers
//	refund list of a foreign charge              TestRefundListOfAForeignCharge
//	two tabs one customer                        services/purchase TestTwentyTabsAtOnce
//	deleted customer                             services/purchase TestDeletedCustomerIsReplaced, TestDeletedCustomerKeepsTheBalance
//	reload of the success page                   handlers/e2e TestReturnBeforeTheWebhook
//	success page of another user's session       handlers/e2e TestReturnBeforeTheWebhook, services/purchase TestStart/nobody_else_sees_it
//	int64 overflow in credits                    TestD6_OverflowInCredits, services/purchase TestParseCredits, TestTarget
//	rounding series                              TestPredecessor_EachPartialRefundFloored, services/purchase TestTargetProperty
//	promotion                                    TestD6_Promotion
//	CHF                                          TestD6_SwissFrancs
//	guest, mail case                             TestSessionsThatWereNotBegunHere
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
	s := newShop(t)
	paid := s.completed("evt_1", "cs_1", "paid")
	dbtest.Concurrently(20, func(int) {
		if err := s.Receive(context.Background(), []byte(paid), sign(paid, testSecret, s.clock)); err != nil {
			t.Errorf("receive: %v", err)
		}
	})
	s.wantBalance(1200)
	var lines int64
	s.must(s.DB.Raw(`SELECT count(*) FROM credit_transactions`).Scan(&lines).Error)
	if lines != 1 || s.statusOf("evt_1") != models.EventDone {
		t.Errorf("%d lines, event %s; want one line, done", lines, s.statusOf("evt_1"))
	}
}

func TestD6_OverflowInCredits(t *testing.T) {
	t.Parallel()
	for _, credits := range []string{"1000001", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e9"} {
		s := newShop(t)
		s.deliver(strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"credits":"1200"`, fmt.Sprintf(`"credits":%q`, credits), 1))
		s.wantBalance(1200) // of our own row
		s.deliver(link("evt_2", "cs_shoes", "null", `"ada@example.com"`, fmt.Sprintf(`{"credits":%q}`, credits)))
		s.wantBalance(1200)
	}
	t.Run("of an amount", func(t *testing.T) {
		s := newShop(t)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(refunded("evt_2", 9223372036854775807))
		s.deliver(dispute("evt_3", "created", "needs_response", 9223372036854775807)) // together beyond an int64
		s.deliver(refund("evt_4", "re_1", 9223372036854775807))
		if got := s.balance(); got != 0 {
			t.Errorf("balance = %d credits, want 0", got)
		}
		dbtest.CheckLedger(t, s.DB)
	})
}

// free is a session that a promotion code paid in full.
func free(s *shop) string {
	paid := strings.Replace(s.completed("evt_free", "cs_1", "no_payment_required"), `"payment_intent":"pi_1"`, `"payment_intent":null`, 1)
	return strings.Replace(paid, `"amount_total":3500`, `"amount_total":0`, 1)
}

func TestD6_Promotion(t *testing.T) {
	t.Parallel()
	t.Run("of all", func(t *testing.T) {
		s := newShop(t)
		s.deliver(free(s))
		s.deliver(strings.Replace(free(s), "evt_free", "evt_2", 1))
		s.wantBalance(1200)
	})
	t.Run("of half: all credits, and a refund's share is of what was paid", func(t *testing.T) {
		wantInAnyOrder(t, 600, func(s *shop) []string {
			half := strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"amount_total":3500`, `"amount_total":1750`, 1)
			return []string{half, refund("evt_2", "re_1", 875)}
		})
	})
}

func TestD6_SwissFrancs(t *testing.T) {
	t.Parallel()
	t.Run("converted from our euros", func(t *testing.T) {
		wantInAnyOrder(t, 600, func(s *shop) []string {
			francs := strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"currency":"eur","amount_subtotal":3500,"amount_total":3500`,
				`"currency":"chf","amount_subtotal":3300,"amount_total":3300,"currency_conversion":{"source_currency":"eur","amount_subtotal":3500,"amount_total":3500}`, 1)
			return []string{francs, strings.Replace(refund("evt_2", "re_1", 1650), "eur", "chf", 1)}
		})
	})
	t.Run("that nobody asked for", func(t *testing.T) {
		s := newShop(t)
		s.deliver(strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"currency":"eur"`, `"currency":"chf"`, 1))
		s.wantBalance(0)
		if got := s.purchaseStatus(); got != models.PurchaseReview {
			t.Errorf("purchase is %s, want review", got)
		}
	})
}

func TestD6_StripeDownThenBooked(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var up atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			http.Error(w, `{"error":{"type":"api_error"}}`, http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, `{"object":"list","has_more":false,"data":[{"id":"li_1","object":"item","quantity":2,"price":{"id":"price_1200","object":"price"}}]}`)
	}))
	t.Cleanup(server.Close)
	s.Purchase.Stripe = stripeapi.New("sk_test_0123456789", server.URL)
	s.deliver(link("evt_1", "cs_items", "null", `"ada@example.com"`, `{}`))
	if got := s.statusOf("evt_1"); got != models.EventFailed {
		t.Fatalf("event is %s, want failed", got)
	}
	up.Store(true)
	s.clock = s.clock.Add(pauses[0] + time.Second)
	s.must(s.BookDue(context.Background()))
	s.wantBalance(2400)
}
