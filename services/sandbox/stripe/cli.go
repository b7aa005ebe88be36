package stripe

import (
	"context"
	"slices"
	"strings"
)

// cliEndpoints are the addresses that Stripe's command line needs beside the others: "stripe trigger" makes payments
// of its own, and pays a session as the hosted page does. Source: stripe-cli v1.19.5, pkg/fixtures/triggers
func (s *Server) cliEndpoints() []endpoint {
	return []endpoint{
		{"POST /v1/payment_methods", methodParams, s.createMethod},
		{"POST /v1/payment_intents", intentParams, s.createIntent},
		{"GET /v1/payment_pages/{id}", nil, retrieve(kindSession)}, // Stripe has these two, and does not describe them
		{"POST /v1/payment_pages/{id}/confirm", confirmParams, s.confirmPage},
	}
}

var confirmParams = schema{"payment_method": identifier, "expected_amount": integer(0, maxUnitAmount)}

// confirmPage pays an open session with a payment method.
func (s *Server) confirmPage(ctx context.Context, t *txn, c *call) (any, error) {
	if err := c.form.require("payment_method"); err != nil {
		return nil, err
	}
	var cs session
	if err := t.get(ctx, c.id, pathParam[kindSession], &cs); err != nil {
		return nil, err
	}
	var m method
	if err := t.get(ctx, c.form["payment_method"], "payment_method", &m); err != nil {
		return nil, err
	}
	switch {
	case cs.closedReason(t.now) != "":
		return nil, refused("checkout_not_active_session", "", "This Checkout Session is no longer active.")
	case c.form.has("expected_amount") && c.form.integer("expected_amount") != cs.AmountTotal:
		return nil, refused("checkout_amount_mismatch", "expected_amount", "The amount of this Checkout Session is %d.", cs.AmountTotal)
	case !slices.Contains(cs.PaymentMethodTypes, m.Type):
		return nil, refused("", "payment_method", "This Checkout Session does not take %s.", m.Type)
	}
	b := buyer{attempt: m.ID}
	if cs.asksEmail() && m.BillingDetails.Email != nil {
		b.email = *m.BillingDetails.Email
	}
	pay := s.payNow
	if m.SepaDebit != nil {
		pay = s.payLater(m.refusedByBank())
	}
	if err := pay(ctx, t, cs.ID, b); err != nil {
		return nil, err
	}
	return t.wire(ctx, kindSession, cs.ID, pathParam[kindSession])
}

var intentParams = metadataParams("metadata").with(shippingParams("shipping"), schema{
	"amount": integer(minTotal, maxUnitAmount), "currency": currencyCode, "customer": identifier, "description": text(1000),
	"confirm": oneOf("true"), "payment_method": identifier, "payment_method_types[]": oneOf("card"), "receipt_email": emailAddress,
})

// disputingMethod is a test card whose bank asks about each payment.
// Source: https://docs.stripe.com/testing#disputes
const disputingMethod = "pm_card_createDisputeInquiry"

// createIntent makes a payment without a session, and takes the money at once.
func (s *Server) createIntent(ctx context.Context, t *txn, c *call) (any, error) {
	f := c.form
	if err := f.require("amount", "currency", "payment_method", "confirm"); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"pm_card_visa", disputingMethod}, f["payment_method"]) {
		return nil, missing("PaymentMethod", f["payment_method"], "payment_method")
	}
	// What a payment needs of the session that it is otherwise made in.
	cs := &session{
		AmountTotal: f.integer("amount"), Currency: strings.ToLower(f["currency"]), PaymentMethodTypes: []string{"card"},
		CustomerDetails: &customerDetails{Address: &address{}},
	}
	back := &backstage{Description: f.optional("description"), ReceiptEmail: f.optional("receipt_email"), Shipping: f.shipping("shipping")}
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
	if f["payment_method"] == disputingMethod {
		if err := s.inquire(ctx, t, *cs.PaymentIntent); err != nil {
			return nil, err
		}
	}
	return t.wire(ctx, kindIntent, *cs.PaymentIntent, pathParam[kindIntent])
}

// shipping is where goods go that are paid for with credits alone: nowhere. It is kept as it was given.
type shipping struct {
	Address        address `json:"address"`
	Carrier        *string `json:"carrier"`
	Name           *string `json:"name"`
	Phone          *string `json:"phone"`
	TrackingNumber *string `json:"tracking_number"`
}

func shippingParams(name string) schema {
	return addressParams(name + "[address]").with(schema{
		name + "[carrier]": text(5000), name + "[name]": text(5000), name + "[phone]": text(20), name + "[tracking_number]": text(5000),
	})
}

// shipping reads the parameters of that name, nil when there are none.
func (f form) shipping(name string) *shipping {
	if !f.has(name + "[name]") {
		return nil
	}
	return &shipping{
		Address: f.address(name + "[address]"), Carrier: f.optional(name + "[carrier]"), Name: f.optional(name + "[name]"),
		Phone: f.optional(name + "[phone]"), TrackingNumber: f.optional(name + "[tracking_number]"),
	}
}

func (f form) address(name string) address {
	return address{
		City: f.optional(name + "[city]"), Country: f.optional(name + "[country]"), Line1: f.optional(name + "[line1]"),
		Line2: f.optional(name + "[line2]"), PostalCode: f.optional(name + "[postal_code]"), State: f.optional(name + "[state]"),
	}
}
