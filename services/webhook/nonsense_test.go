package webhook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// lastErrorOf returns the cause that is stored with an event.
func (s *fixture) lastErrorOf(eventID string) models.Cause {
	s.t.Helper()
	var row models.StripeEvent
	s.must(s.DB.Omit("payload").Take(&row, "event_id = ?", eventID).Error)
	return row.LastError
}

// otherPayment is the event of another purchase's paid session.
func (s *fixture) otherPayment(p models.Purchase, id, session, payment string) string {
	return strings.NewReplacer("pi_1", payment, s.purchase.ID.String(), p.ID.String()).
		Replace(s.completed(id, session, "paid"))
}

// wantReview wants an event to be under review with a cause that an admin can decide about.
func (s *fixture) wantReview(eventID string, cause models.Cause) {
	s.t.Helper()
	if status, got := s.statusOf(eventID), s.lastErrorOf(eventID); status != models.EventReview || got != cause {
		s.t.Errorf("%s is %s (%s), want review (%s)", eventID, status, got, cause)
	}
	if len(cause.Decisions()) == 0 {
		s.t.Errorf("cause %q offers no decision, want some", cause)
	}
}

// An implausible event moves no credits, or at most those of its payment, whichever of the two arrives first. It goes
// to review once.
func TestEventsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	const all = 1200
	chargeOf := func(fields string) string {
		return event("evt_x", "charge.refunded", `{"id":"ch_1","object":"charge","payment_intent":"pi_1",`+fields+`}`)
	}
	refundOf := func(fields string) string {
		return event("evt_x", "refund.created", `{"id":"re_1","object":"refund","charge":"ch_1","payment_intent":"pi_1",
			"status":"succeeded",`+fields+`}`)
	}
	disputeOf := func(fields string) string {
		return event("evt_x", "charge.dispute.created",
			`{"id":"dp_1","object":"dispute","charge":"ch_1","payment_intent":"pi_1",
			"status":"needs_response",`+fields+`}`)
	}
	for _, c := range []struct {
		name, event string
		want        models.Cause
		balance     models.Credits
	}{
		{"a negative refund", refundOf(`"amount":-1000,"currency":"eur"`), models.CauseImpossible, all},
		{"a refund of 0 cents", refundOf(`"amount":0,"currency":"eur"`), models.CauseImpossible, all},
		{"a refund without an amount", refundOf(`"currency":"eur"`), models.CauseImpossible, all},
		{"a refund whose amount is null", refundOf(`"amount":null,"currency":"eur"`), models.CauseImpossible, all},
		{"a refund of the largest int64", refundOf(`"amount":9223372036854775807,"currency":"eur"`), models.CauseOverpaid, 0},
		{"a refund beyond int64", refundOf(`"amount":92233720368547758070,"currency":"eur"`), models.CauseObjectUnreadable,
			all},
		{"a refund of a fraction", refundOf(`"amount":1000.5,"currency":"eur"`), models.CauseObjectUnreadable, all},
		{"a refund above the payment", refundOf(`"amount":3501,"currency":"eur"`), models.CauseOverpaid, 0},
		{"a refund in another currency", refundOf(`"amount":1000,"currency":"usd"`), models.CauseRefundCurrency, all},
		{"a negative failed refund", strings.Replace(refundOf(`"amount":-1000,"currency":"eur"`), "succeeded", "failed", 1),
			models.CauseImpossible, all},

		{"a charge with a negative refunded sum", chargeOf(`"amount":3500,"amount_refunded":-1000,"currency":"eur"`),
			models.CauseImpossible, all},
		{"a negative charge", chargeOf(`"amount":-3500,"amount_refunded":0,"currency":"eur"`), models.CauseImpossible, all},
		{"a charge without amount", chargeOf(`"amount":null,"amount_refunded":1000,"currency":"eur"`), models.CauseImpossible,
			all},
		{"a charge refunded above its amount", chargeOf(`"amount":3500,"amount_refunded":3501,"currency":"eur"`),
			models.CauseOverpaid, 0},
		{"a charge refunded above the payment", chargeOf(`"amount":9000,"amount_refunded":9000,"currency":"eur"`),
			models.CauseOverpaid, 0},
		{"a charge in another currency", chargeOf(`"amount":3500,"amount_refunded":3500,"currency":"usd"`),
			models.CauseRefundCurrency, all},

		{"a negative dispute", disputeOf(`"amount":-3500,"currency":"eur"`), models.CauseImpossible, all},
		{"a dispute without an amount", disputeOf(`"currency":"eur"`), models.CauseImpossible, all},
		{"a dispute whose amount is null", disputeOf(`"amount":null,"currency":"eur"`), models.CauseImpossible, all},
		{"a dispute with overflowing movements",
			disputeOf(`"amount":1000,"currency":"usd","balance_transactions":[{"amount":-9223372036854775808,"currency":"eur"},
			{"amount":-9223372036854775808,"currency":"eur"}]`), models.CauseDisputeCurrency, 0},
		{"a dispute without a status", strings.Replace(disputeOf(`"amount":1000,"currency":"eur"`), "needs_response", "", 1),
			models.CauseDisputeStatus.Of(""), all},
		{"a refund of unknown status", strings.Replace(refundOf(`"amount":1000,"currency":"eur"`), "succeeded", "given", 1),
			models.CauseRefundStatus.Of("given"), all},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.deliver(s.completed("evt_paid", "cs_1", "paid"))
			s.deliver(c.event)
			s.wantReview("evt_x", c.want)
			s.wantBalance(c.balance)
			s.deliver(refunded("evt_good", 3500)) // plausible events are still booked
			s.wantBalance(0)
		})
		t.Run(c.name+" before the payment", func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.deliver(c.event)
			s.deliver(s.completed("evt_paid", "cs_1", "paid"))
			s.wantReview("evt_x", c.want)
			s.wantBalance(c.balance)
		})
	}
}

// Where one fact is reported in two currencies before its payment is known, the payment's currency decides.
func TestFactsInTwoCurrenciesBeforeTheirPurchase(t *testing.T) {
	t.Parallel()
	wrongly := func(payload string) string {
		return strings.NewReplacer("evt_right", "evt_wrong", `"currency":"eur"`, `"currency":"usd"`, "1750", "1900").
			Replace(payload)
	}
	for name, right := range map[string]string{
		"a charge": refunded("evt_right", 1750), "a refund": refund("evt_right", "re_1", 1750),
	} {
		for order, sent := range map[string]func(paid string) []string{
			"wrong, right, payment": func(paid string) []string { return []string{wrongly(right), right, paid} },
			"right, wrong, payment": func(paid string) []string { return []string{right, wrongly(right), paid} },
			"wrong, payment, right": func(paid string) []string { return []string{wrongly(right), paid, right} },
		} {
			t.Run(name+": "+order, func(t *testing.T) {
				t.Parallel()
				s := newFixture(t)
				for _, payload := range sent(s.completed("evt_paid", "cs_1", "paid")) {
					s.deliver(payload)
				}
				if status := s.statusOf("evt_right"); status != models.EventDone {
					t.Errorf("report in the payment's currency is %s (%s), want done", status, s.lastErrorOf("evt_right"))
				}
				s.wantReview("evt_wrong", models.CauseRefundCurrency)
				s.wantBalance(600)
			})
		}
	}
}

// A charge, refund or dispute belongs to one payment. An event that assigns it to another payment changes neither.
func TestFactsThatComeWithAnotherPayment(t *testing.T) {
	t.Parallel()
	other := func(payload string) string {
		return strings.NewReplacer("evt_1", "evt_2", "pi_1", "pi_2").Replace(payload)
	}
	for name, c := range map[string]struct {
		first, second string
		left          models.Credits
	}{
		"a won dispute": {dispute("evt_1", "created", "needs_response", 3500),
			at(5, other(dispute("evt_1", "closed", "won", 3500))), 1200},
		"a smaller dispute": {dispute("evt_1", "created", "needs_response", 3500),
			at(5, other(dispute("evt_1", "updated", "needs_response", 1))), 1200},
		"the same dispute": {dispute("evt_1", "created", "needs_response", 3500),
			at(5, other(dispute("evt_1", "created", "needs_response", 3500))), 1200},
		"a failed refund": {refund("evt_1", "re_1", 3500),
			strings.Replace(other(refund("evt_1", "re_1", 3500)), "succeeded", "failed", 1), 1200},
		"a charge":              {refunded("evt_1", 3500), other(refunded("evt_1", 3500)), 1200},
		"a refund of a charge":  {refunded("evt_1", 3500), other(refund("evt_1", "re_2", 3500)), 1200},
		"a dispute of a charge": {refunded("evt_1", 3500), other(dispute("evt_1", "created", "lost", 3500)), 1200},
		"another refund amount": {refund("evt_1", "re_1", 3500),
			strings.NewReplacer("evt_1", "evt_2", "3500", "1", "succeeded", "failed").Replace(refund("evt_1", "re_1", 3500)),
			1200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			second := s.order("cs_2")
			s.deliver(s.completed("evt_paid", "cs_1", "paid"))
			s.deliver(s.otherPayment(second, "evt_paid_2", "cs_2", "pi_2"))
			s.deliver(c.first)
			s.wantBalance(1200)
			s.deliver(c.second)
			s.wantReview("evt_2", models.CauseContradicts)
			s.wantBalance(c.left)
			at1, at2 := s.purchaseOf("cs_1"), s.purchaseOf("cs_2")
			if at1.CreditsRefunded+at1.CreditsDisputed != 1200 || at2.CreditsRefunded+at2.CreditsDisputed != 0 {
				t.Errorf("credits taken from the purchases = %d and %d, want 1200 and 0",
					at1.CreditsRefunded+at1.CreditsDisputed, at2.CreditsRefunded+at2.CreditsDisputed)
			}
			var rows int64
			s.must(s.DB.Raw(`SELECT (SELECT count(*) FROM stripe_refunds WHERE payment_ref = 'pi_2')
				+ (SELECT count(*) FROM stripe_disputes WHERE payment_ref = 'pi_2')
				+ (SELECT count(*) FROM stripe_charges WHERE payment_ref = 'pi_2')`).Scan(&rows).Error)
			if rows != 0 {
				t.Errorf("%d facts are stored for the second payment, want 0", rows)
			}
		})
	}
}

// A charge without payment intent still belongs to its known payment.
func TestChargeWithoutPaymentIntent(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(refunded("evt_1", 1000))
	s.wantBalance(1200 - 342)
	s.deliver(strings.Replace(refunded("evt_2", 3500), `"payment_intent":"pi_1"`, `"payment_intent":null`, 1))
	s.wantBalance(0)
	if got := s.statusOf("evt_2"); got != models.EventDone {
		t.Errorf("event is %s, want done", got)
	}
}

// Concurrent events that assign one dispute to two payments take the credits of one.
func TestConcurrentEventsOfADisputeOfTwoPayments(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	second := s.order("cs_2")
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(s.otherPayment(second, "evt_paid_2", "cs_2", "pi_2"))
	dbtest.Concurrently(20, func(i int) {
		e := dispute(fmt.Sprintf("evt_%d", i), "created", "needs_response", 3500)
		if i%2 == 1 {
			e = strings.Replace(e, "pi_1", "pi_2", 1)
		}
		s.receive(e)
	})
	s.wantBalance(1200)
	var reviews int64
	s.must(s.DB.Raw(`SELECT count(*) FROM stripe_events WHERE status = 'review' AND last_error = ?`,
		models.CauseContradicts).Scan(&reviews).Error)
	if reviews != 10 {
		t.Errorf("%d events are under review, want the 10 of the other payment", reviews)
	}
}
