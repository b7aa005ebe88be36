package stripe_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

// debit pays a new session by SEPA debit on the hosted page.
func (s *fixture) debit(t *testing.T) *stripe.CheckoutSession {
	t.Helper()
	session := s.checkout(t, s.offer(t).ID)
	if paid := s.post(t, session.URL, url.Values{"action": {"debit"}}); paid.StatusCode != http.StatusSeeOther ||
		!strings.Contains(paid.Header.Get("Location"), session.ID) {
		t.Fatalf("pay by debit: got %d to %s", paid.StatusCode, paid.Header.Get("Location"))
	}
	return s.session(t, session.ID)
}

func (s *fixture) session(t *testing.T, id string) *stripe.CheckoutSession {
	t.Helper()
	params := &stripe.CheckoutSessionParams{}
	params.AddExpand("payment_intent.latest_charge")
	session, err := s.api.CheckoutSessions.Get(id, params)
	if err != nil {
		t.Fatalf("read session: %v", err)
	}
	return session
}

func TestDebitIsPaidDaysLater(t *testing.T) {
	t.Parallel()
	const submitted = "charge.pending(pending) payment_intent.processing(processing) checkout.session.completed(unpaid)"
	for _, way := range []struct {
		step, emitted                 string
		payment, charge, paid, method string
		received                      int64
	}{
		{"succeed",
			"charge.succeeded(succeeded) payment_intent.succeeded(succeeded) checkout.session.async_payment_succeeded(paid)",
			"succeeded", "succeeded", "paid", "pm_", 4000},
		{"fail",
			"charge.failed(failed) payment_intent.payment_failed(requires_payment_method) checkout.session.async_payment_failed(unpaid)",
			"requires_payment_method", "failed", "unpaid", "", 0},
	} {
		t.Run(way.step, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			session := s.debit(t)
			payment, charge := session.PaymentIntent, session.PaymentIntent.LatestCharge
			if session.Status != "complete" || session.PaymentStatus != "unpaid" || payment.Status != "processing" ||
				payment.AmountReceived != 0 ||
				charge.Status != "pending" || charge.Paid || !strings.HasPrefix(charge.ID, "py_") ||
				charge.PaymentMethodDetails.SEPADebit.Last4 != "3000" {
				t.Errorf("session: got %s %s, payment = %s, charge = %+v", session.Status, session.PaymentStatus, payment.Status,
					charge)
			}
			events := s.emitted(t, "charge.pending", "payment_intent.processing", "checkout.session.completed")
			if got := s.emittedSince(t, len(s.emitted(t))-len(events)); got != submitted {
				t.Errorf("emitted %s, want %s", got, submitted)
			}
			s.wantRefused(t, http.StatusConflict, "payment_not_succeeded", "payments/"+payment.ID+"/dispute")

			seen := len(s.emitted(t))
			s.run(t, "payments/"+payment.ID+"/"+way.step)
			if got := s.emittedSince(t, seen); got != way.emitted {
				t.Errorf("emitted %s, want %s", got, way.emitted)
			}
			session = s.session(t, session.ID)
			payment, charge = session.PaymentIntent, session.PaymentIntent.LatestCharge
			method := ""
			if payment.PaymentMethod != nil {
				method = payment.PaymentMethod.ID[:3]
			}
			if string(session.PaymentStatus) != way.paid || string(payment.Status) != way.payment ||
				string(charge.Status) != way.charge ||
				payment.AmountReceived != way.received || charge.Paid != (way.paid == "paid") || method != way.method ||
				(payment.LastPaymentError != nil) != (way.step == "fail") || (charge.FailureCode != "") != (way.step == "fail") {
				t.Errorf("session: got %s, payment = %+v, charge = %+v", session.PaymentStatus, payment, charge)
			}
			for _, again := range []string{"succeed", "fail"} {
				s.wantRefused(t, http.StatusConflict, "payment_not_processing", "payments/"+payment.ID+"/"+again)
			}
		})
	}
}

func TestRefundsOfADebitWaitForIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	payment := s.debit(t).PaymentIntent
	refund, err := s.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(payment.ID),
		Amount: stripe.Int64(1000)})
	if err != nil || refund.Status != "pending" || !strings.HasPrefix(refund.ID, "pyr_") {
		t.Fatalf("refund: got %+v, %v", refund, err)
	}
	s.wantRefunded(t, payment, 1000)
	s.wantRefused(t, http.StatusConflict, "refund_state", "refunds/"+refund.ID+"/succeed")
	s.run(t, "payments/"+payment.ID+"/fail")
	if refund, err = s.api.Refunds.Get(refund.ID, nil); err != nil || refund.Status != "failed" {
		t.Errorf("refund: got %+v, %v, want it failed with the payment", refund, err)
	}
	s.wantRefunded(t, payment, 0)
	charge, err := s.api.Charges.Get(payment.LatestCharge.ID, nil)
	if err != nil || charge.FailureCode != "insufficient_funds" || charge.Status != "failed" {
		t.Errorf("charge: got %+v, %v", charge, err)
	}
	_, err = s.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(payment.ID)})
	wantError(t, err, http.StatusBadRequest, "", "charge")

	paid := s.debit(t).PaymentIntent
	s.run(t, "payments/"+paid.ID+"/succeed")
	later := s.run(t, "payments/"+paid.ID+"/refund")
	s.run(t, "refunds/"+later["id"].(string)+"/succeed")
	lost := s.debit(t).PaymentIntent
	s.run(t, "payments/"+lost.ID+"/succeed")
	if d := s.run(t, "payments/"+lost.ID+"/dispute", "status", "lost"); d["payment_method_details"] != nil {
		t.Errorf("dispute of a debit: got %v", d)
	}
}

func TestDebitNeedsASessionThatAllowsIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	dollars, err := s.api.Prices.New(&stripe.PriceParams{Product: stripe.String(s.offer(t).Product.ID),
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(2000)})
	if err != nil {
		t.Fatal(err)
	}
	session := s.checkout(t, dollars.ID)
	if n := s.get(t, session.URL).doc.Find("#debit").Length(); n != 0 {
		t.Error("a debit is offered for a session that takes cards alone")
	}
	answer := s.post(t, session.URL, url.Values{"action": {"debit"}})
	if got := answer.Header.Get("Location"); !strings.HasSuffix(got, "?error=debit") {
		t.Errorf("debit leads to %s", got)
	}
	s.wantRefused(t, http.StatusConflict, "no_debit", "sessions/"+session.ID+"/pay", "method", "sepa_debit")
	if open := s.session(t, session.ID); open.Status != "open" {
		t.Errorf("session: got %s, want it open", open.Status)
	}
}

func TestPayByControl(t *testing.T) {
	t.Parallel()
	s := start(t)
	price := s.offer(t).ID
	session := s.checkout(t, price)
	if paid := s.run(t, "sessions/"+session.ID+"/pay", "method", "card"); paid["payment_status"] != "paid" {
		t.Errorf("session: got %v", paid)
	}
	guest := s.checkout(t, price, func(p *stripe.CheckoutSessionParams) { p.Customer = nil })
	s.wantRefused(t, http.StatusBadRequest, "parameter_missing", "sessions/"+guest.ID+"/pay")
	if paid := s.run(t, "sessions/"+guest.ID+"/pay", "method", "sepa_debit", "email",
		"max@example.com"); paid["payment_status"] != "unpaid" || paid["status"] != "complete" {
		t.Errorf("session: got %v", paid)
	}
	if got := s.session(t, guest.ID).CustomerDetails.Email; got != "max@example.com" {
		t.Errorf("email: got %s", got)
	}
}
