package webhook

import (
	"context"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// A paid session with an implausible payment becomes a purchase under review, even from a payment link.
func TestImplausiblePaidSessionsGoToReview(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"a negative total":             {`"amount_total":3500`, `"amount_total":-3500`},
		"without total":                {`"amount_total":3500`, `"was":3500`},
		"a total of null":              {`"amount_total":3500`, `"amount_total":null`},
		"a total of the largest int64": {`"amount_total":3500`, `"amount_total":9223372036854775807`},
		"a negative subtotal":          {`"amount_subtotal":3500`, `"amount_subtotal":-3500`},
		"without payment":              {`"payment_intent":"pi_1"`, `"payment_intent":null`},
		"a total of zero":              {`"amount_total":3500`, `"amount_total":0`},
		"another purchase's payment":   {`"payment_intent":"pi_1"`, `"payment_intent":"pi_taken"`},
		"an invalid currency":          {`"currency":"eur"`, `"currency":"EURO"`},
		"a payment without id":         {`"payment_intent":"pi_1"`, `"payment_intent":{"id":""}`},
		"payment field left out":       {`"payment_intent":"pi_1","client_reference_id"`, `"client_reference_id"`},
	} {
		for where, from := range map[string]func(*fixture) string{
			"of ours":             func(s *fixture) string { return s.completed("evt_1", "cs_1", "paid") },
			"from a payment link": func(s *fixture) string { return linked("evt_1") },
		} {
			t.Run(name+" "+where, func(t *testing.T) {
				t.Parallel()
				s := newFixture(t)
				taken := s.order("cs_taken")
				s.deliver(s.otherPayment(taken, "evt_taken", "cs_taken", "pi_taken"))
				before := s.balance()
				payload := from(s)
				if !strings.Contains(payload, change[0]) {
					t.Skip("the payload lacks the field")
				}
				s.deliver(strings.Replace(payload, change[0], change[1], 1))
				s.wantReview("evt_1", models.CauseSessionMoney)
				s.wantBalance(before)
				var p models.Purchase
				s.must(s.DB.Take(&p, "status = 'review'").Error)
				if p.CreditsGranted != 0 || p.PaidCents < 0 || p.PaymentIntentID == "pi_taken" {
					t.Errorf("purchase has %d credits granted and %d cents paid by %q, want 0, at least 0, and another payment",
						p.CreditsGranted, p.PaidCents, p.PaymentIntentID)
				}
				s.must(s.BookDecided(context.Background()))
				s.wantReview("evt_1", models.CauseSessionMoney)
			})
		}
	}
}

// linked is the event of a payment link's paid session for an address without account.
func linked(id string) string {
	return event(id, "checkout.session.completed", `{"id":"cs_link","object":"checkout.session","mode":"payment",
		"payment_status":"paid","payment_intent":"pi_1","currency":"eur","amount_subtotal":3500,"amount_total":3500,"customer_details":{"email":"bea@example.com"},"metadata":{"credits":"1200"}}`)
}

// An event that contradicts the booked payment or amount of a session changes nothing.
func TestContradictingEventsOfABookedSession(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"another payment": {`"pi_1"`, `"pi_2"`},
		"another amount":  {`"amount_total":3500`, `"amount_total":350`},
		"no payment":      {`"pi_1"`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFixture(t)
			s.deliver(s.completed("evt_1", "cs_1", "paid"))
			s.deliver(strings.Replace(s.completed("evt_2", "cs_1", "paid"), change[0], change[1], 1))
			s.wantReview("evt_2", models.CauseContradicts)
			s.wantBalance(1200)
			if p := s.purchaseOf("cs_1"); p.PaymentIntentID != "pi_1" || p.PaidCents != 3500 || p.Status != models.PurchasePaid {
				t.Errorf("purchase is %s, %d cents by %s; want paid, 3500 by pi_1", p.Status, p.PaidCents, p.PaymentIntentID)
			}
			s.deliver(refunded("evt_3", 3500))
			s.wantBalance(0)
		})
	}
}
