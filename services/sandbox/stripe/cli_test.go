package stripe_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/sandbox/stripe/outsider"
)

// TestStripesCommandLine lets "stripe trigger" of the real Stripe CLI do with the stand-in what it does with Stripe.
func TestStripesCommandLine(t *testing.T) {
	if !dbtest.Full() {
		t.Skip("make test-full runs this: the command line takes a minute to build")
	}
	t.Parallel()
	for _, c := range []struct {
		name  string // what the command line calls it
		check func(*testing.T, *stand, stripe.Event)
	}{
		{"checkout.session.completed", wantSession("paid", "usd")},
		{"checkout.session.async_payment_succeeded", wantSession("paid", "eur")},
		{"checkout.session.async_payment_failed", wantSession("unpaid", "eur")},
		{"charge.refunded", func(t *testing.T, _ *stand, event stripe.Event) {
			if got := event.Data.Object["amount_refunded"]; got != 100.0 || event.Data.Object["refunded"] != true {
				t.Errorf("refunded %v (%v), want all of 100", got, event.Data.Object["refunded"])
			}
		}},
		{"charge.refund.updated", func(t *testing.T, _ *stand, event stripe.Event) {
			if got := event.GetObjectValue("metadata", "order_id"); got != "6735" || event.Data.PreviousAttributes["metadata"] == nil {
				t.Errorf("order %q, before %v", got, event.Data.PreviousAttributes)
			}
		}},
		{"charge.dispute.created", func(t *testing.T, _ *stand, event stripe.Event) {
			if event.Data.Object["amount"] != 100.0 || event.GetObjectValue("status") != "warning_needs_response" || event.GetObjectValue("payment_intent") == "" {
				t.Errorf("dispute = %s", event.Data.Raw)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			target, err := url.Parse(s.URL())
			if err != nil {
				t.Fatal(err)
			}
			checked := httputil.NewSingleHostReverseProxy(target)
			checked.Transport = contract
			front := httptest.NewServer(checked)
			t.Cleanup(front.Close)
			said, err := outsider.NewCLI(t, front.URL, secretKey).Run(t, "trigger", c.name)
			if err != nil || !strings.Contains(said, "Trigger succeeded") {
				t.Fatalf("stripe trigger: %v\n%s", err, said)
			}
			c.check(t, s, s.hooks.next(t, stripe.EventType(c.name)))
		})
	}
}

// wantSession checks a session of two lines of 15 that is complete and stands at the payment status.
func wantSession(status, currency string) func(*testing.T, *stand, stripe.Event) {
	return func(t *testing.T, s *stand, event stripe.Event) {
		t.Helper()
		var told stripe.CheckoutSession
		if err := json.Unmarshal(event.Data.Raw, &told); err != nil {
			t.Fatalf("decode event: %v", err)
		}
		if string(told.PaymentStatus) != status || told.Status != "complete" || told.AmountTotal != 3000 || string(told.Currency) != currency {
			t.Errorf("event = %s", event.Data.Raw)
		}
		params := &stripe.CheckoutSessionParams{}
		params.AddExpand("payment_intent")
		now, err := s.api.CheckoutSessions.Get(told.ID, params)
		if err != nil || string(now.PaymentStatus) != status {
			t.Fatalf("session = %+v, %v", now, err)
		}
		if status == "paid" && (now.PaymentIntent == nil || now.PaymentIntent.Shipping.Name != "Jenny Rosen") {
			t.Errorf("payment = %+v, want one that goes to Jenny Rosen", now.PaymentIntent)
		}
	}
}
