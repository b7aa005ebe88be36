package stripe

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

const (
	sessionLife = 24 * time.Hour
	// maxQuantity is far above any real order and keeps price × quantity within int64.
	maxQuantity = 999_999
	maxItems    = 100
	// minTotal is Stripe's minimum payment in euros, used for all currencies here.
	minTotal = 50
)

var sessions = list{kind: kindSession, url: "/v1/checkout/sessions",
	filters: []string{"customer", "payment_intent", "status"}}

// createSession opens a Checkout session for a one-time payment.
func (s *Server) createSession(ctx context.Context, t *txn, c *call) (any, error) {
	f := c.form
	if err := f.require("mode", "success_url"); err != nil {
		return nil, err
	}
	if err := checkSession(f); err != nil {
		return nil, err
	}
	cs := &session{
		ID: newID("cs_test_"), Created: t.Now.Unix(), PaymentStatus: paymentUnpaid, Status: statusOpen, SuccessURL: f["success_url"],
	}
	cs.URL = new(s.url + "/c/pay/" + cs.ID)
	cs.fill(f, t.Now)
	back := &backstage{Session: cs.ID}
	if err := back.fill(f); err != nil {
		return nil, err
	}
	var err error
	if cs.Metadata, err = f.metadata("metadata", nil); err != nil {
		return nil, err
	}
	if cs.InvoiceCreation.InvoiceData.Metadata, err = f.metadata("invoice_creation[invoice_data][metadata]",
		nil); err != nil {
		return nil, err
	}
	if err := t.attachCustomer(ctx, cs, f); err != nil {
		return nil, err
	}
	if err := t.addItems(ctx, cs, back, f); err != nil {
		return nil, err
	}
	if err := t.put(ctx, back); err != nil {
		return nil, err
	}
	return cs, t.put(ctx, cs)
}

// checkSession refuses parameters that exclude each other.
func checkSession(f form) error {
	for _, part := range []string{"address", "name"} {
		if f.has("customer_update["+part+"]") && !f.has("customer") {
			return invalid("", "customer_update", "`customer_update` can only be used with `customer`.")
		}
	}
	if f.has("customer") && f.truth("tax_id_collection[enabled]") && f["customer_update[name]"] != "auto" {
		return invalid("", "tax_id_collection",
			"Tax ID collection requires updating business name on the customer. To enable tax ID collection for an existing customer, please set `customer_update[name]` to `auto`.")
	}
	return nil
}

// fill copies the session's own parameters from the form.
func (cs *session) fill(f form, now time.Time) {
	cs.ExpiresAt = now.Add(sessionLife).Unix()
	if f.has("tax_id_collection[enabled]") {
		cs.TaxIDCollection = &enabled{Enabled: f.truth("tax_id_collection[enabled]"), Required: "never"}
	}
	cs.AutomaticTax.Enabled = f.truth("automatic_tax[enabled]")
	if cs.AutomaticTax.Enabled {
		cs.AutomaticTax.Status = new("requires_location_inputs")
	}
	cs.InvoiceCreation.Enabled = f.truth("invoice_creation[enabled]")
	cs.InvoiceCreation.InvoiceData.Footer = f.optional("invoice_creation[invoice_data][footer]")
	cs.InvoiceCreation.InvoiceData.Description = f.optional("invoice_creation[invoice_data][description]")
	if message := f.optional("custom_text[submit][message]"); message != nil {
		cs.CustomText.Submit = &customMessage{*message}
	}
	cs.BillingAddressCollection = f.optional("billing_address_collection")
	cs.CancelURL = f.optional("cancel_url")
	cs.ClientReferenceID = f.optional("client_reference_id")
	cs.Locale = f.optional("locale")
	cs.SubmitType = f.optional("submit_type")
}

// fill copies the parameters of the later payment from the form.
func (b *backstage) fill(f form) (err error) {
	b.Metadata, err = f.metadata("payment_intent_data[metadata]", nil)
	b.Shipping = f.shipping("payment_intent_data[shipping]")
	b.FutureUsage = f.optional("payment_intent_data[setup_future_usage]")
	b.Keep = customerUpdate{Name: f["customer_update[name]"] == "auto", Address: f["customer_update[address]"] == "auto"}
	return err
}

// attachCustomer sets the customer and the details that are known.
func (t *txn) attachCustomer(ctx context.Context, cs *session, f form) error {
	if !f.has("customer") {
		return nil
	}
	cus, err := t.customer(ctx, f["customer"], "customer")
	if err != nil {
		return err
	}
	if cs.AutomaticTax.Enabled && cus.Address == nil && f["customer_update[address]"] != "auto" {
		return refused("customer_tax_location_invalid", "automatic_tax",
			"Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto' to save the address entered in Checkout to the Customer.")
	}
	cs.Customer = &cus.ID
	cs.CustomerDetails = &customerDetails{Address: cus.Address, Email: cus.Email, Name: cus.Name, TaxExempt: "none"}
	return nil
}

// addItems prices the lines of the form.
func (t *txn) addItems(ctx context.Context, cs *session, back *backstage, f form) error {
	lines := f.positions("line_items")
	if len(lines) == 0 || len(lines) > maxItems {
		return invalid("parameter_missing", "line_items", "You must pass 1 to %d line items.", maxItems)
	}
	for _, line := range lines {
		one, err := t.priced(ctx, line, f)
		if err != nil {
			return err
		}
		if cs.Currency != "" && cs.Currency != one.Currency {
			return refused("", line+"[price]", "All line items must have the same currency.")
		}
		cs.Currency = one.Currency
		cs.AmountSubtotal += one.AmountSubtotal
		wire, err := t.shapes.render(one)
		if err != nil {
			return err
		}
		data, err := json.Marshal(wire)
		if err != nil {
			return fmt.Errorf("encode line item: %w", err)
		}
		back.Items = append(back.Items, data)
	}
	if cs.PaymentMethodTypes = f.texts("payment_method_types"); len(cs.PaymentMethodTypes) == 0 {
		cs.PaymentMethodTypes = methodsFor(cs.Currency)
	}
	cs.AmountTotal = cs.AmountSubtotal
	switch {
	case cs.AmountTotal < minTotal && digits(cs.Currency) > 0:
		return refused("amount_too_small", "",
			"The Checkout Session's total amount due must add up to at least %d of the smallest unit of %s.", minTotal,
			cs.Currency)
	case cs.AmountTotal > maxUnitAmount:
		return refused("amount_too_large", "",
			"The Checkout Session's total amount due must be no more than %d of the smallest unit of %s.", maxUnitAmount,
			cs.Currency)
	}
	if want := f["currency"]; want != "" && want != cs.Currency {
		return refused("", "currency", "The prices of the line items are in %s.", cs.Currency)
	}
	return nil
}

// priced is one line with its price, product name and amount.
func (t *txn) priced(ctx context.Context, line string, f form) (*item, error) {
	if err := f.require(line+"[price]", line+"[quantity]"); err != nil {
		return nil, err
	}
	id, param := f[line+"[price]"], line+"[price]"
	wire, err := t.wire(ctx, kindPrice, id, param)
	if err != nil {
		return nil, err
	}
	var p price
	if err := t.get(ctx, id, param, &p); err != nil {
		return nil, err
	}
	if p.Recurring != nil {
		return nil, refused("", param, "You specified `payment` mode but passed a recurring price. Either switch to "+
			"`subscription` mode or use only one-time prices.")
	}
	if !p.Active {
		return nil, refused("", param, "The price specified is inactive. This field only accepts active prices.")
	}
	var of product
	if err := t.get(ctx, p.Product, param, &of); err != nil {
		return nil, err
	}
	if !of.Active {
		return nil, refused("", param, "The product of the price specified is inactive.")
	}
	currency, unit, err := t.chargedIn(ctx, p, f["currency"])
	if err != nil {
		return nil, err
	}
	quantity := f.integer(line + "[quantity]")
	amount := unit * quantity // at most 10^14
	return &item{
		ID: newID("li_"), AmountSubtotal: amount, AmountTotal: amount, Currency: currency,
		Description: of.Name, Price: wire, Quantity: quantity,
	}, nil
}
