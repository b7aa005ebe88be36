package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// recovered is Stripe's copy of the expired session cs_1, paid by a payment of its own.
func (s *shop) recovered(id string) string {
	return strings.NewReplacer(`"cs_1"`, `"cs_2"`, `"pi_1"`, `"pi_2"`, `"mode":"payment"`, `"mode":"payment","recovered_from":"cs_1"`).Replace(s.completed(id, "cs_1", "paid"))
}

func (s *shop) take(session string) models.Purchase {
	s.t.Helper()
	var p models.Purchase
	s.must(s.DB.Take(&p, "checkout_session_id = ?", session).Error)
	return p
}

func TestRecoveredSessions(t *testing.T) {
	t.Parallel()
	t.Run("is the purchase's payment, twenty times at once and in any order", func(t *testing.T) {
		s := newShop(t)
		payloads := []string{s.ended("evt_1", "expired"), s.recovered("evt_2"), s.recovered("evt_3"), strings.NewReplacer("completed", "expired", "paid", "unpaid").Replace(s.recovered("evt_4"))}
		dbtest.Concurrently(20, func(i int) {
			p := payloads[i%len(payloads)]
			if err := s.Receive(context.Background(), []byte(p), sign(p, testSecret, s.clock)); err != nil {
				t.Errorf("receive: %v", err)
			}
		})
		s.wantBalance(1200)
		if p := s.take("cs_2"); p.ID != s.purchase.ID || p.Status != models.PurchasePaid || p.RecoveredFrom != "cs_1" || p.PaymentIntentID != "pi_2" {
			t.Errorf("purchase %s is %s by %s, recovered from %q; want ours, paid by pi_2 and recovered from cs_1", p.ID, p.Status, p.PaymentIntentID, p.RecoveredFrom)
		}
		s.deliver(s.ended("evt_5", "expired")) // late, of the session that is no longer the purchase's
		s.deliver(event("evt_6", "charge.refunded", `{"id":"ch_2","amount":3500,"amount_refunded":3500,"currency":"eur","payment_intent":"pi_2"}`))
		s.wantBalance(0)
		for n := 1; n <= 6; n++ {
			if got := s.statusOf(fmt.Sprintf("evt_%d", n)); got != models.EventDone {
				t.Errorf("evt_%d is %s, want done", n, got)
			}
		}
	})
	t.Run("a delayed payment", func(t *testing.T) {
		s := newShop(t)
		s.deliver(s.ended("evt_1", "expired"))
		s.deliver(strings.Replace(s.recovered("evt_2"), `"paid"`, `"unpaid"`, 1))
		if p := s.take("cs_2"); p.Status != models.PurchaseAwaitingPayment {
			t.Errorf("purchase is %s, want awaiting_payment", p.Status)
		}
		s.deliver(strings.Replace(s.recovered("evt_3"), "session.completed", "session.async_payment_succeeded", 1))
		s.wantBalance(1200)
	})
	t.Run("another amount is for a person", func(t *testing.T) {
		s := newShop(t)
		s.deliver(strings.Replace(s.recovered("evt_1"), `"amount_subtotal":3500`, `"amount_subtotal":350`, 1))
		s.wantBalance(0)
		if p := s.take("cs_2"); p.ID != s.purchase.ID || p.Status != models.PurchaseReview || p.PaymentIntentID != "pi_2" || s.statusOf("evt_1") != models.EventReview {
			t.Errorf("purchase is %s by %q and its event %s, want both in review and the payment kept", p.Status, p.PaymentIntentID, s.statusOf("evt_1"))
		}
	})
	t.Run("paid beside the purchase: a second payment is a purchase of its own, and waits", func(t *testing.T) {
		s := newShop(t)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(s.recovered("evt_2"))
		s.deliver(s.recovered("evt_3"))
		s.wantBalance(1200)
		p := s.take("cs_2")
		if p.ID == s.purchase.ID || p.Status != models.PurchaseReview || p.Cause != models.CausePaidTwice || p.PaymentIntentID != "pi_2" || p.Credits != 1200 {
			t.Errorf("the second payment is %+v, want a purchase of 1200 credits in review", p)
		}
		if got := s.purchaseStatus(); got != models.PurchasePaid {
			t.Errorf("the first is %s, want paid", got)
		}
	})
	t.Run("named by a buyer, it is none", func(t *testing.T) { // who can write client_reference_id and nothing else
		s := newShop(t)
		s.deliver(strings.Replace(s.recovered("evt_1"), `"recovered_from":"cs_1",`, ``, 1))
		s.deliver(strings.Replace(s.recovered("evt_2"), `"recovered_from":"cs_1"`, `"recovered_from":"cs_other"`, 1))
		s.wantBalance(0)
		if p := s.take("cs_2"); p.ID == s.purchase.ID || p.Status != models.PurchaseReview || p.Cause != models.CauseSessionOther || s.purchaseStatus() != models.PurchasePending {
			t.Errorf("it became %s (%s) and our purchase %s, want review and pending", p.Status, p.Cause, s.purchaseStatus())
		}
	})
}

// Whatever keeps a paid session from being booked, its payment is known: a refund at Stripe finds it and ends the waiting.
func TestEveryPaidSessionCanBeDecided(t *testing.T) {
	t.Parallel()
	for cause, c := range map[models.Cause]struct {
		change  func(string) string
		credits models.Credits
	}{
		models.CauseAmount:       {func(e string) string { return strings.Replace(e, `"currency":"eur"`, `"currency":"usd"`, 1) }, 1200},
		models.CauseSessionOther: {func(e string) string { return strings.Replace(e, `"id":"cs_1"`, `"id":"cs_x"`, 1) }, 1200},
		models.CauseSessionUnknown: {func(e string) string {
			e = e[:strings.Index(e, `"purchase_id"`)] + `"purchase_id":"00000000-0000-4000-8000-000000000000"}}}}`
			return strings.NewReplacer(`"id":"cs_1"`, `"id":"cs_x"`, `"credits":"1200"`, `"credits":"many"`).Replace(e)
		}, 0},
		models.CauseSessionNoBuyer: {func(e string) string {
			return strings.NewReplacer(`"id":"cs_1"`, `"id":"cs_x"`, `"client_reference_id":`, `"was":`, `"purchase_id"`, `"id"`).Replace(e)
		}, 1200},
	} {
		t.Run(string(cause), func(t *testing.T) {
			s := newShop(t)
			paid := c.change(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(paid)
			s.deliver(strings.Replace(paid, "evt_1", "evt_2", 1))
			var p models.Purchase
			s.must(s.DB.Take(&p, "payment_intent_id = 'pi_1'").Error)
			if p.Status != models.PurchaseReview || p.Cause != cause || p.Credits != c.credits || p.PaidCents != 3500 || s.statusOf("evt_1") != models.EventReview {
				t.Errorf("purchase is %s (%s) of %d credits, paid %d, its event %s; want review (%s) of %d, paid 3500, review",
					p.Status, p.Cause, p.Credits, p.PaidCents, s.statusOf("evt_1"), cause, c.credits)
			}
			s.wantBalance(0)
			s.deliver(strings.Replace(refunded("evt_3", 3500), `"eur"`, fmt.Sprintf("%q", p.PaidCurrency), 1))
			s.must(s.BookDecided(context.Background()))
			s.must(s.DB.Take(&p, "id = ?", p.ID).Error)
			if p.Status != models.PurchaseReturned || s.statusOf("evt_1") != models.EventDone || s.statusOf("evt_3") != models.EventDone {
				t.Errorf("after its refund the purchase is %s, the events %s and %s; want returned, done, done", p.Status, s.statusOf("evt_1"), s.statusOf("evt_3"))
			}
			s.wantBalance(0)
		})
	}
}

// Of two events of one second Stripe says which is the last; of two others the later one counts, whatever its status.
func TestTheNewestWordOnADispute(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	asked, _ := s.answering(map[string]string{"/v1/disputes/dp_1": `{"id":"dp_1","object":"dispute","amount":1000,"currency":"eur","status":"under_review","charge":"ch_1","payment_intent":"pi_1"}`})
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(at(5, dispute("evt_2", "updated", "under_review", 3500)))
	s.deliver(at(1, dispute("evt_3", "created", "needs_response", 2000)))
	s.wantBalance(0)
	if n := asked.Load(); n != 0 {
		t.Errorf("Stripe was asked %d times, want none: the seconds differ", n)
	}
	s.deliver(at(5, dispute("evt_4", "updated", "under_review", 1000)))
	s.wantBalance(1200 - 342)
	if n := asked.Load(); n != 1 {
		t.Errorf("Stripe was asked %d times, want once", n)
	}
}
