package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// recovered is the event of the paid session cs_2, which Stripe recovered from the expired session cs_1.
func (s *fixture) recovered(id string) string {
	return strings.NewReplacer(`"cs_1"`, `"cs_2"`, `"pi_1"`, `"pi_2"`,
		`"mode":"payment"`, `"mode":"payment","recovered_from":"cs_1"`).Replace(s.completed(id, "cs_1", "paid"))
}

// purchaseOf returns the purchase of a Checkout Session.
func (s *fixture) purchaseOf(session string) models.Purchase {
	s.t.Helper()
	var p models.Purchase
	s.must(s.DB.Take(&p, "checkout_session_id = ?", session).Error)
	return p
}

func TestRecoveredSessions(t *testing.T) {
	t.Parallel()
	t.Run("pays the purchase once for concurrent events", func(t *testing.T) {
		s := newFixture(t)
		payloads := []string{
			s.ended("evt_1", "expired"), s.recovered("evt_2"), s.recovered("evt_3"),
			strings.NewReplacer("completed", "expired", "paid", "unpaid").Replace(s.recovered("evt_4")),
		}
		dbtest.Concurrently(20, func(i int) {
			p := payloads[i%len(payloads)]
			s.receive(p)
		})
		s.wantBalance(1200)
		p := s.purchaseOf("cs_2")
		if p.ID != s.purchase.ID || p.Status != models.PurchasePaid || p.RecoveredFrom != "cs_1" ||
			p.PaymentIntentID != "pi_2" {
			t.Errorf("purchase %s is %s by %s, recovered from %q; want %s, paid by pi_2, recovered from cs_1",
				p.ID, p.Status, p.PaymentIntentID, p.RecoveredFrom, s.purchase.ID)
		}
		s.deliver(s.ended("evt_5", "expired")) // of the session that no longer is the purchase's
		s.deliver(event("evt_6", "charge.refunded", `{"id":"ch_2","amount":3500,"amount_refunded":3500,"currency":"eur",
			"payment_intent":"pi_2"}`))
		s.wantBalance(0)
		for n := 1; n <= 6; n++ {
			if got := s.statusOf(fmt.Sprintf("evt_%d", n)); got != models.EventDone {
				t.Errorf("evt_%d is %s, want done", n, got)
			}
		}
	})
	t.Run("books a delayed payment", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(s.ended("evt_1", "expired"))
		s.deliver(strings.Replace(s.recovered("evt_2"), `"paid"`, `"unpaid"`, 1))
		if p := s.purchaseOf("cs_2"); p.Status != models.PurchaseAwaitingPayment {
			t.Errorf("purchase is %s, want awaiting_payment", p.Status)
		}
		s.deliver(strings.Replace(s.recovered("evt_3"), "session.completed", "session.async_payment_succeeded", 1))
		s.wantBalance(1200)
	})
	t.Run("reviews another amount", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(strings.Replace(s.recovered("evt_1"), `"amount_subtotal":3500`, `"amount_subtotal":350`, 1))
		s.wantBalance(0)
		p := s.purchaseOf("cs_2")
		if p.ID != s.purchase.ID || p.Status != models.PurchaseReview || p.PaymentIntentID != "pi_2" ||
			s.statusOf("evt_1") != models.EventReview {
			t.Errorf("purchase is %s by %q and its event %s, want review by pi_2 and review",
				p.Status, p.PaymentIntentID, s.statusOf("evt_1"))
		}
	})
	t.Run("reviews a second payment as another purchase", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(s.recovered("evt_2"))
		s.deliver(s.recovered("evt_3"))
		s.wantBalance(1200)
		p := s.purchaseOf("cs_2")
		if p.ID == s.purchase.ID || p.Status != models.PurchaseReview || p.Cause != models.CausePaidTwice ||
			p.PaymentIntentID != "pi_2" || p.Credits != 1200 {
			t.Errorf("second payment = %+v, want another purchase of 1200 credits under review", p)
		}
		if got := s.purchaseStatus(); got != models.PurchasePaid {
			t.Errorf("first purchase is %s, want paid", got)
		}
	})
	t.Run("reviews a session that only claims to be recovered", func(t *testing.T) { // a buyer can set client_reference_id
		s := newFixture(t)
		s.deliver(strings.Replace(s.recovered("evt_1"), `"recovered_from":"cs_1",`, ``, 1))
		s.deliver(strings.Replace(s.recovered("evt_2"), `"recovered_from":"cs_1"`, `"recovered_from":"cs_other"`, 1))
		s.wantBalance(0)
		p := s.purchaseOf("cs_2")
		if p.ID == s.purchase.ID || p.Status != models.PurchaseReview || p.Cause != models.CauseSessionOther ||
			s.purchaseStatus() != models.PurchasePending {
			t.Errorf("its purchase is %s (%s) and ours %s, want review and pending", p.Status, p.Cause, s.purchaseStatus())
		}
	})
}

// A paid session that cannot be booked is stored with its payment, so that a refund at Stripe finds it and ends the
// review.
func TestEveryPaidSessionCanBeDecided(t *testing.T) {
	t.Parallel()
	for cause, c := range map[models.Cause]struct {
		change  func(string) string
		credits models.Credits
	}{
		models.CauseAmount: {func(e string) string {
			return strings.Replace(e, `"currency":"eur"`, `"currency":"usd"`,
				1)
		}, 1200},
		models.CauseSessionOther: {func(e string) string { return strings.Replace(e, `"id":"cs_1"`, `"id":"cs_x"`, 1) },
			1200},
		models.CauseSessionUnknown: {func(e string) string {
			e = e[:strings.Index(e, `"purchase_id"`)] + `"purchase_id":"00000000-0000-4000-8000-000000000000"}}}}`
			return strings.NewReplacer(`"id":"cs_1"`, `"id":"cs_x"`, `"credits":"1200"`, `"credits":"many"`).Replace(e)
		}, 0},
		models.CauseSessionNoBuyer: {func(e string) string {
			return strings.NewReplacer(`"id":"cs_1"`, `"id":"cs_x"`, `"client_reference_id":`, `"was":`, `"purchase_id"`,
				`"id"`).Replace(e)
		}, 1200},
	} {
		t.Run(string(cause), func(t *testing.T) {
			s := newFixture(t)
			paid := c.change(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(paid)
			s.deliver(strings.Replace(paid, "evt_1", "evt_2", 1))
			var p models.Purchase
			s.must(s.DB.Take(&p, "payment_intent_id = 'pi_1'").Error)
			if p.Status != models.PurchaseReview || p.Cause != cause || p.Credits != c.credits || p.PaidCents != 3500 ||
				s.statusOf("evt_1") != models.EventReview {
				t.Errorf("purchase is %s (%s) of %d credits, paid %d, its event %s; want review (%s) of %d, paid 3500, review",
					p.Status, p.Cause, p.Credits, p.PaidCents, s.statusOf("evt_1"), cause, c.credits)
			}
			s.wantBalance(0)
			s.deliver(strings.Replace(refunded("evt_3", 3500), `"eur"`, fmt.Sprintf("%q", p.PaidCurrency), 1))
			s.must(s.BookDecided(context.Background()))
			s.must(s.DB.Take(&p, "id = ?", p.ID).Error)
			if p.Status != models.PurchaseReturned || s.statusOf("evt_1") != models.EventDone ||
				s.statusOf("evt_3") != models.EventDone {
				t.Errorf("after the refund the purchase is %s and its events %s and %s, want returned, done and done",
					p.Status, s.statusOf("evt_1"), s.statusOf("evt_3"))
			}
			s.wantBalance(0)
		})
	}
}

// Once an admin has decided that a payment is not ours, later events of it are ignored instead of reviewed.
func TestEventsOfAForeignPaymentAreIgnored(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	paid := func(id string) string {
		return strings.Replace(s.completed(id, "cs_1", "paid"), `"amount_subtotal":3500`, `"amount_subtotal":350`, 1)
	}
	s.deliver(paid("evt_1"))
	s.deliver(paid("evt_2"))
	s.must(postgres.Transaction(t.Context(), s.DB, func(tx models.Tx) error {
		event, err := LockForDecision(tx, "evt_1")
		if err == nil {
			_, err = s.CloseDecided(tx, event, models.DecisionForeign)
		}
		return err
	}))
	dbtest.Concurrently(20, func(i int) { s.receive(paid(fmt.Sprintf("evt_later_%d", i))) })
	for _, id := range []string{"evt_1", "evt_2", "evt_later_0", "evt_later_19"} {
		if e := s.event(id); e.Status != models.EventIgnored || e.LastError != models.CauseDecidedForeign {
			t.Errorf("%s is %s (%s), want ignored by the decision", id, e.Status, e.LastError)
		}
	}
	s.wantBalance(0)
}

// Of two dispute events the later one counts, whatever its status. For two events of the same second, Stripe is
// asked.
func TestNewestDisputeEventCounts(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	requests, _ := s.serveStripe(map[string]string{"/v1/disputes/dp_1": `{"id":"dp_1","object":"dispute","amount":1000,
		"currency":"eur","status":"under_review","charge":"ch_1","payment_intent":"pi_1"}`})
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(at(5, dispute("evt_2", "updated", "under_review", 3500)))
	s.deliver(at(1, dispute("evt_3", "created", "needs_response", 2000)))
	s.wantBalance(0)
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests to Stripe for different seconds, want 0", n)
	}
	s.deliver(at(5, dispute("evt_4", "updated", "under_review", 1000)))
	s.wantBalance(1200 - 342)
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests to Stripe for the same second, want 1", n)
	}
}
