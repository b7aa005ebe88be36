package stripe

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// triggerEndpoints are the addresses that only "stripe trigger" uses: it makes payments without a session, and pays a
// session as the hosted page does. Stripe's document does not describe payment pages.
// Source: stripe-cli v1.19.5, pkg/fixtures/triggers
func (s *Server) triggerEndpoints() []endpoint {
	return []endpoint{
		{"POST /v1/payment_methods", paymentMethodParams, s.createPaymentMethod},
		{"POST /v1/payment_intents", intentParams, s.createIntent},
		{"GET /v1/payment_pages/{id}", nil, retrieve(kindSession)},
		{"POST /v1/payment_pages/{id}/confirm", confirmParams, on(s.confirmPage)},
	}
}

var confirmParams = schema{"payment_method": identifier, "expected_amount": integer(0, maxUnitAmount)}

// confirmPage pays an open session with a payment method. A bank debit succeeds or fails at once, as test accounts do.
func (s *Server) confirmPage(ctx context.Context, t *txn, cs *session, f form) (any, error) {
	if err := f.require("payment_method"); err != nil {
		return nil, err
	}
	var m paymentMethod
	if err := t.get(ctx, f["payment_method"], "payment_method", &m); err != nil {
		return nil, err
	}
	switch {
	case f.has("expected_amount") && f.integer("expected_amount") != cs.AmountTotal:
		return nil, refused("checkout_amount_mismatch", "expected_amount", "The amount of this Checkout Session is %d.",
			cs.AmountTotal)
	case !slices.Contains(cs.PaymentMethodTypes, m.Type):
		return nil, refused("", "payment_method", "This Checkout Session does not accept %s.", m.Type)
	}
	b := buyer{attempt: m.ID, method: m.Type}
	if cs.asksEmail() && m.BillingDetails.Email != nil {
		b.email = *m.BillingDetails.Email
	}
	done, err := s.payIn(ctx, t, cs.ID, b)
	if errors.Is(err, errClosed) {
		return nil, refused("checkout_not_active_session", "", "This Checkout Session is no longer active.")
	}
	if err != nil {
		return nil, err
	}
	if m.SepaDebit != nil {
		end := s.settleDebit
		if m.refusedByBank() {
			end = s.failDebit
		}
		if _, err := end(ctx, t, &call{id: *done.session.PaymentIntent, form: form{}}); err != nil {
			return nil, err
		}
	}
	return t.wire(ctx, kindSession, cs.ID, pathParam[kindSession])
}

var intentParams = metadataParams("metadata").with(schema{
	"amount": integer(minTotal, maxUnitAmount), "currency": currencyCode, "customer": identifier,
	"description": text(1000), "confirm": oneOf("true"), "payment_method": oneOf(visa, disputingVisa), "payment_method_types[]": oneOf(methodCard),
})

// Test cards by their names. The bank of the second inquires about each payment.
// Source: https://docs.stripe.com/testing#disputes
const (
	visa          = "pm_card_visa"
	disputingVisa = "pm_card_createDisputeInquiry"
)

// createIntent makes a payment by card without a session.
func (s *Server) createIntent(ctx context.Context, t *txn, c *call) (any, error) {
	f := c.form
	if err := f.require("amount", "currency", "payment_method", "confirm"); err != nil {
		return nil, err
	}
	// The facts that a payment has from its session.
	cs := &session{AmountTotal: f.integer("amount"), Currency: strings.ToLower(f["currency"]),
		PaymentMethodTypes: []string{methodCard}, CustomerDetails: &customerDetails{Address: &address{}}}
	back := &backstage{Description: f.optional("description")}
	var err error
	if back.Metadata, err = f.metadata("metadata", nil); err != nil {
		return nil, err
	}
	if f.has("customer") {
		cus, err := t.customer(ctx, f["customer"], "customer")
		if err != nil {
			return nil, err
		}
		cs.Customer = &cus.ID
	}
	if err := s.collect(ctx, t, cs, back, methodCard); err != nil {
		return nil, err
	}
	if f["payment_method"] == disputingVisa {
		inquiry := &call{id: *cs.PaymentIntent, form: form{"status": disputeWarning}}
		if _, err := s.openDispute(ctx, t, inquiry); err != nil {
			return nil, err
		}
	}
	return t.wire(ctx, kindIntent, *cs.PaymentIntent, pathParam[kindIntent])
}
