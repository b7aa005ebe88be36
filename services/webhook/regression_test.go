package webhook

// Mistakes of other payment code (B01 to B15), and of the code that this product replaced. Each cost real money.
// Their tests:
//
//	B01 credits for each delivery            TestConcurrentDeliveries, TestPaidCheckoutIsBookedOnce
//	B02 two reports of one payment credited  TestRegression_B02_PaymentIntentAndSessionBothCredited
//	B03 credits on redirect                  handlers/e2e TestReturnBeforeTheWebhook
//	B04 marked as done before the work       TestRegression_B04_MarkedProcessedBeforeTheWork
//	B05 errors answered 200                  TestUnavailableDatabaseIsAnError, handlers TestWebhookAnswers, TestRegression_B05_*
//	B06 any error taken for a duplicate      TestRegression_B06_AnyErrorTakenForADuplicate
//	B07 cumulative taken as increment        TestRegression_B07_CumulativeRefundTakenAsIncrement
//	B08 second partial refund dropped        TestRegression_B08_SecondPartialRefundDropped
//	B09 own refund and its event both booked TestRegression_B09_OneRefundReportedByEveryEventType, services/admin
//	B10 only one event type handled          TestRegression_B10_RefundReportedByOneEventType
//	B11 failed refund stayed booked          TestRegression_B11_FailedAndCanceledRefundsStayBooked,
//	                                         TestFailedRefundGivesTheCreditsBack
//	B12 disputes only partly handled         TestRegression_B12_DisputesBesideRefunds, TestDisputesInAnyOrder
//	B13 a dispute has no customer            TestRegression_B13_DisputeNamesNoCustomer
//	B14 delayed payments                     TestRegression_B14_DelayedPayments, TestDelayedPayment
//	B15 two customers for one user           services/purchase TestTwentyStartsAtOnce, services/auth TestTwentyConcurrentFirstSignIns
//	More: other API versions rejected        TestEventsOfAnotherAPIVersion
//	      very old event                     TestRegression_More_VeryOldEvent
//	      promotion took credits             TestD6_Promotion
//
//	Predecessor: errors answered 200                             as B05
//	             missing metadata answered 200 and lost          TestPredecessor_MissingMetadataLost
//	             unpaid sessions dropped                         TestPredecessor_UnpaidSessionsDropped
//	             a Charge read as a Refund                       TestPredecessor_ChargeReadAsRefund
//	             credits of a failed refund never returned       TestPredecessor_PendingRefundNeverGivenBack
//	             each partial refund floored on its own          TestPredecessor_EachPartialRefundFloored
//	             spend that checks and then writes               services/ledger TestTwentySpendAtOnce, services/spend TestTwentyAtOnce

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
)

// wantInAnyOrder delivers events in order, in reverse, and with the first one last, and wants the same balance each
// time.
func wantInAnyOrder(t *testing.T, want models.Credits, events func(s *fixture) []string) {
	t.Helper()
	for name, order := range map[string]func([]string){
		"in order": func([]string) {}, "in reverse": slices.Reverse[[]string],
		"the first last": func(e []string) { slices.Reverse(e); slices.Reverse(e[:len(e)-1]) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			payloads := events(s)
			for i := range payloads {
				payloads[i] = at(int64(i), payloads[i])
			}
			order(payloads)
			for _, e := range payloads {
				s.deliver(e)
			}
			s.wantBalance(want)
		})
	}
}

// refundEvent is an event of any type about the refund re_n.
func refundEvent(id, kind string, n int, amount int64, status string) string {
	return event(id, kind, fmt.Sprintf(`{"id":"re_%d","object":"refund","amount":%d,"currency":"eur","status":%q,
		"charge":"ch_1","payment_intent":"pi_1"}`, n, amount, status))
}

func TestRegression_B02_PaymentIntentAndSessionBothCredited(t *testing.T) {
	t.Parallel()
	wantInAnyOrder(t, 1200, func(s *fixture) []string {
		return []string{
			event("evt_pi", "payment_intent.succeeded", `{"id":"pi_1","amount":3500,"metadata":{"credits":"1200"}}`),
			event("evt_ch", "charge.succeeded",
				`{"id":"ch_1","amount":3500,"payment_intent":"pi_1","metadata":{"credits":"1200"}}`),
			s.completed("evt_cs", "cs_1", "paid"),
		}
	})
}

func TestRegression_B04_MarkedProcessedBeforeTheWork(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`ALTER TABLE credit_transactions RENAME TO credit_transactions_away`).Error)
	paid := s.completed("evt_1", "cs_1", "paid")
	s.deliver(paid)
	s.must(s.DB.Exec(`ALTER TABLE credit_transactions_away RENAME TO credit_transactions`).Error)
	s.deliver(paid) // a duplicate of an event that is not booked
	if got := s.statusOf("evt_1"); got != models.EventFailed {
		t.Fatalf("event is %s, want failed", got)
	}
	if got := s.purchaseStatus(); got != models.PurchasePending {
		t.Errorf("purchase is %s, want pending", got)
	}
	s.clock = s.clock.Add(retryPauses[0] + time.Second)
	s.must(s.BookDue(context.Background()))
	s.wantBalance(1200)
}

func TestRegression_B05_UnknownEventsMakeARetryStorm(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(event("evt_1", "payment_intent.succeeded", `{"id":"pi_of_another_product","amount":1}`)) // must be accepted
	if got := s.statusOf("evt_1"); got != models.EventIgnored {
		t.Errorf("event is %s, want ignored", got)
	}
}

func TestRegression_B05_FreePurchaseNotCredited(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(freePurchase(s))
	s.wantBalance(1200)
}

func TestRegression_B06_AnyErrorTakenForADuplicate(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`ALTER TABLE stripe_refunds ADD CONSTRAINT spoilt CHECK (amount <> 1000)`).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(refund("evt_2", "re_1", 1000))
	if got := s.statusOf("evt_2"); got != models.EventFailed {
		t.Errorf("event is %s, want failed", got)
	}
	s.must(s.DB.Exec(`ALTER TABLE stripe_refunds DROP CONSTRAINT spoilt`).Error)
	s.must(s.Retry(context.Background(), "evt_2"))
	s.wantBalance(1200 - 342)
}

func TestRegression_B07_CumulativeRefundTakenAsIncrement(t *testing.T) {
	t.Parallel()
	wantInAnyOrder(t, 1200-685, func(s *fixture) []string {
		return []string{s.completed("evt_1", "cs_1", "paid"), refunded("evt_2", 500), refunded("evt_3", 1000),
			refunded("evt_4", 2000)}
	})
}

func TestRegression_B08_SecondPartialRefundDropped(t *testing.T) {
	t.Parallel()
	wantInAnyOrder(t, 1200-1028, func(s *fixture) []string {
		return []string{s.completed("evt_1", "cs_1", "paid"), refund("evt_2", "re_1", 1000), refund("evt_3", "re_2", 2000)}
	})
}

func TestRegression_B09_OneRefundReportedByEveryEventType(t *testing.T) {
	t.Parallel()
	wantInAnyOrder(t, 1200-342, func(s *fixture) []string {
		events := []string{s.completed("evt_1", "cs_1", "paid"), refunded("evt_2", 1000)}
		for _, kind := range []string{"refund.created", "refund.updated", "charge.refund.updated"} {
			events = append(events, refundEvent("evt_"+kind, kind, 1, 1000, "succeeded"))
		}
		return events
	})
}

func TestRegression_B10_RefundReportedByOneEventType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"refund.created", "refund.updated", "charge.refund.updated"} {
		wantInAnyOrder(t, 1200-342, func(s *fixture) []string {
			return []string{s.completed("evt_1", "cs_1", "paid"), refundEvent("evt_2", kind, 1, 1000, "succeeded")}
		})
	}
	wantInAnyOrder(t, 1200-342, func(s *fixture) []string { // since 2022 a charge's list of refunds is empty
		charge := strings.Replace(refunded("evt_2", 1000), `"amount":`, `"refunds":{"data":[]},"amount":`, 1)
		return []string{s.completed("evt_1", "cs_1", "paid"), charge}
	})
}

func TestRegression_B11_FailedAndCanceledRefundsStayBooked(t *testing.T) {
	t.Parallel()
	for kind, status := range map[string]string{
		"charge.refund.updated": "failed", "refund.failed": "failed", "refund.updated": "canceled",
	} {
		wantInAnyOrder(t, 1200, func(s *fixture) []string {
			return []string{
				s.completed("evt_1", "cs_1", "paid"), refunded("evt_2", 1000),
				refundEvent("evt_3", "refund.created", 1, 1000, "pending"), refundEvent("evt_4", kind, 1, 1000, status),
			}
		})
	}
}

func TestRegression_B12_DisputesBesideRefunds(t *testing.T) {
	t.Parallel()
	wantInAnyOrder(t, 1200-342, func(s *fixture) []string { // a won dispute keeps the refund
		return []string{
			s.completed("evt_1", "cs_1", "paid"), dispute("evt_2", "created", "needs_response", 3500),
			refunded("evt_3", 1000), dispute("evt_4", "closed", "won", 3500),
		}
	})
	wantInAnyOrder(t, 0, func(s *fixture) []string { // both take no more than was granted
		return []string{
			s.completed("evt_1", "cs_1", "paid"), dispute("evt_2", "created", "needs_response", 3500), refunded("evt_3", 3500),
		}
	})
}

func TestRegression_B13_DisputeNamesNoCustomer(t *testing.T) {
	t.Parallel()
	wantInAnyOrder(t, 0, func(s *fixture) []string {
		paid := strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"currency"`, `"customer":"cus_1","currency"`, 1)
		return []string{paid, dispute("evt_2", "created", "needs_response", 3500)}
	})
}

func TestRegression_B14_DelayedPayments(t *testing.T) {
	t.Parallel()
	wantInAnyOrder(t, 1200, func(s *fixture) []string {
		succeeded := strings.Replace(s.completed("evt_2", "cs_1", "paid"), "session.completed",
			"session.async_payment_succeeded", 1)
		return []string{s.completed("evt_1", "cs_1", "unpaid"), succeeded}
	})
	wantInAnyOrder(t, 0, func(s *fixture) []string {
		return []string{s.completed("evt_1", "cs_1", "unpaid"), s.ended("evt_2", "async_payment_failed")}
	})
}

func TestRegression_More_VeryOldEvent(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	old := strings.Replace(s.completed("evt_1", "cs_1", "paid"), `"livemode":false,`, `"livemode":false,"request":null,`,
		1)
	s.deliver(strings.Replace(old, `"api_version":"2024-06-20"`, `"api_version":null`, 1))
	s.wantBalance(1200)
}

func TestPredecessor_MissingMetadataLost(t *testing.T) {
	t.Parallel()
	t.Run("books what our purchase says", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(event("evt_1", "checkout.session.completed", `{"id":"cs_1","mode":"payment","payment_status":"paid",
			"payment_intent":"pi_1","currency":"eur","amount_subtotal":3500,"amount_total":3500}`))
		s.wantBalance(1200)
	})
	t.Run("reviews an unclear session", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(link("evt_1", "cs_mixed", "null", `"ada@example.com"`, `{"credits":"plenty"}`))
		if got := s.statusOf("evt_1"); got != models.EventReview {
			t.Errorf("event is %s, want review", got)
		}
	})
}

func TestPredecessor_UnpaidSessionsDropped(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_1", "cs_1", "unpaid"))
	s.wantBalance(0)
	if got := s.purchaseStatus(); got != models.PurchaseAwaitingPayment {
		t.Errorf("purchase is %s, want awaiting payment", got)
	}
	s.deliver(strings.Replace(s.completed("evt_2", "cs_1", "paid"), "session.completed", "session.async_payment_succeeded",
		1))
	s.wantBalance(1200)
}

func TestPredecessor_ChargeReadAsRefund(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(refunded("evt_2", 1000)) // 3500 is the amount of the charge, not of the refund
	s.wantBalance(1200 - 342)
	var refunds int64
	s.must(s.DB.Raw(`SELECT count(*) FROM stripe_refunds`).Scan(&refunds).Error)
	if refunds != 0 {
		t.Errorf("%d refunds are stored, want 0: the event is about a charge", refunds)
	}
}

func TestPredecessor_PendingRefundNeverGivenBack(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(refundEvent("evt_2", "refund.created", 1, 3500, "pending"))
	s.wantBalance(0)
	s.deliver(refundEvent("evt_3", "charge.refund.updated", 1, 3500, "failed"))
	s.wantBalance(1200)
}

func TestPredecessor_EachPartialRefundFloored(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	left := models.Credits(1200)
	for i, amount := range []int64{1000, 1000, 1500} { // 342.8…, 342.8… and 514.2… credits
		s.deliver(refund(fmt.Sprintf("evt_r%d", i), fmt.Sprintf("re_%d", i), amount))
		left -= []models.Credits{342, 343, 515}[i]
		s.wantBalance(left)
	}
}
