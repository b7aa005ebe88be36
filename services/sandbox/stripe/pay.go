package stripe

import (
	"context"
	"errors"
)

// errClosed means that the session can no longer be paid.
var errClosed = errors.New("session is not open")

// buyer is the input on the hosted page.
type buyer struct {
	email   string
	attempt string // names the rendered form: sent twice, it pays once and answers twice
	method  string // methodCard or methodDebit
	company string // set together with taxID
	taxID   string
}

// paid is the outcome of paying.
type paid struct {
	session session
	event   string // the checkout.session.completed event
}

// pay completes the session: payment, charge and events, in one transaction.
// Errors: errClosed when another form has paid it or its time has passed.
// Idempotent: by attempt.
func (s *Server) pay(ctx context.Context, id string, b buyer, by caller) (*paid, error) {
	var p *paid
	err := s.store.write(ctx, by, func(ctx context.Context, t *txn) (err error) {
		p, err = s.payIn(ctx, t, id, b)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.deliverer.Wake()
	return p, nil
}

func (s *Server) payIn(ctx context.Context, t *txn, id string, b buyer) (*paid, error) {
	var p paid
	var back backstage
	if err := t.get(ctx, id, pathParam[kindSession], &p.session); err != nil {
		return nil, err
	}
	if err := t.get(ctx, backstageID(id), pathParam[kindSession], &back); err != nil {
		return nil, err
	}
	switch {
	case p.session.Status == statusComplete && b.attempt != "" && b.attempt == back.Attempt:
		p.event = back.CompletedEvent
		return &p, nil
	case p.session.Status != statusOpen || p.session.ExpiresAt <= t.Now.Unix():
		return nil, errClosed
	}
	back.Attempt = b.attempt
	var err error
	p.event, err = s.complete(ctx, t, &p.session, &back, b)
	return &p, err
}

// complete marks the session complete and creates its payment and invoice.
func (s *Server) complete(ctx context.Context, t *txn, cs *session, back *backstage, b buyer) (string, error) {
	if err := t.settleCustomer(ctx, cs, back, b); err != nil {
		return "", err
	}
	cs.settleTax()
	if err := s.collect(ctx, t, cs, back, b.method); err != nil {
		return "", err
	}
	cs.Status, cs.URL = statusComplete, nil
	if err := s.invoice(ctx, t, cs, back); err != nil {
		return "", err
	}
	if err := t.put(ctx, cs); err != nil {
		return "", err
	}
	if err := t.emit(ctx, "checkout.session.completed", cs, nil); err != nil {
		return "", err
	}
	back.CompletedEvent = t.emitted[len(t.emitted)-1]
	return back.CompletedEvent, t.put(ctx, back)
}

// settleCustomer records the buyer's details, also in the customer where the session says so.
func (t *txn) settleCustomer(ctx context.Context, cs *session, back *backstage, b buyer) error {
	if cs.CustomerDetails == nil {
		cs.CustomerDetails = &customerDetails{TaxExempt: "none"}
	}
	details := cs.CustomerDetails
	if b.email != "" {
		details.Email = &b.email // the address from Checkout, even if the customer has another
	}
	details.TaxIDs = []taxID{}
	if b.taxID != "" {
		details.TaxIDs = append(details.TaxIDs, taxID{Type: "eu_vat", Value: b.taxID})
	}
	if b.company != "" {
		details.Name = &b.company
	}
	if details.Address == nil {
		details.Address = &address{Country: new("DE")} // the country of the card
	}
	if cs.Customer == nil || back.Keep == (customerUpdate{}) {
		return nil
	}
	return t.saveDetails(ctx, *cs.Customer, details, back.Keep)
}

// saveDetails saves details from Checkout to the customer, unless that one is deleted.
func (t *txn) saveDetails(ctx context.Context, id string, details *customerDetails, keep customerUpdate) error {
	var cus customer
	if err := t.get(ctx, id, "customer", &cus); err != nil || cus.Deleted {
		return err
	}
	if keep.Name && details.Name != nil {
		cus.Name = details.Name
	}
	if keep.Address {
		cus.Address = details.Address
	}
	return t.record(ctx, &cus)
}

// collect creates the payment and its charge.
func (s *Server) collect(ctx context.Context, t *txn, cs *session, back *backstage, method string) error {
	ch := &charge{
		ID: newID("ch_"), Amount: cs.AmountTotal, AmountCaptured: cs.AmountTotal, BalanceTransaction: newID("txn_"),
		Created: t.Now.Unix(), Currency: cs.Currency, Customer: cs.Customer, Description: back.Description,
		Metadata: back.Metadata, Paid: true, Shipping: back.Shipping,
		PaymentMethod: newID("pm_"), Status: chargeSucceeded,
		BillingDetails: billingDetails{
			Address: *cs.CustomerDetails.Address, Email: cs.CustomerDetails.Email,
			Name: cs.CustomerDetails.Name,
		},
	}
	if method == methodDebit {
		ch.asDebit()
	}
	ch.ReceiptURL = s.url + "/receipts/" + ch.ID
	pi := &intent{
		ID: newID("pi_"), Amount: ch.Amount, AmountReceived: ch.Amount, Created: ch.Created, Currency: ch.Currency,
		Customer: ch.Customer, Description: ch.Description, LatestCharge: ch.ID, Metadata: ch.Metadata,
		PaymentMethod: &ch.PaymentMethod, PaymentMethodTypes: cs.PaymentMethodTypes, SetupFutureUsage: back.FutureUsage,
		Shipping: ch.Shipping, Status: intentSucceeded,
	}
	if method == methodDebit {
		pi.AmountReceived, pi.Status = 0, intentProcessing
	} else {
		cs.PaymentStatus = paymentPaid
	}
	pi.ClientSecret = pi.ID + "_secret_" + newID("")
	ch.PaymentIntent, cs.PaymentIntent = pi.ID, &pi.ID
	if err := errors.Join(t.put(ctx, pi), t.put(ctx, ch)); err != nil {
		return err
	}
	if method == methodDebit {
		return errors.Join(t.emit(ctx, "charge.pending", ch, nil), t.emit(ctx, "payment_intent.processing", pi, nil))
	}
	return errors.Join(t.emit(ctx, "payment_intent.succeeded", pi, nil), t.emit(ctx, "charge.succeeded", ch, nil))
}
