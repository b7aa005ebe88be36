package purchase

import (
	"context"
	"errors"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// errOpen says that a session can still be paid.
var errOpen = fmt.Errorf("%w: not paid yet", ErrNotOurs)

// fetchCheckout asks Stripe for a session that has ended.
//
// Errors: errOpen while it can be paid; ErrNotOurs when Stripe does not know it; fault.Unavailable when Stripe does not
// answer.
// Source: https://docs.stripe.com/api/checkout/sessions/retrieve
func (s *Service) fetchCheckout(ctx context.Context, sessionID string) (Checkout, error) {
	params := &stripe.CheckoutSessionParams{}
	params.Context = ctx
	params.AddExpand("payment_intent")
	session, err := s.Stripe.CheckoutSessions.Get(sessionID, params)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return Checkout{}, ErrNotOurs
	case err != nil:
		return Checkout{}, stripeapi.Fault(err)
	case session.Status == stripe.CheckoutSessionStatusOpen:
		return Checkout{}, errOpen
	}
	return CheckoutOf(session), nil
}

// CheckoutOf converts a session of the API.
func CheckoutOf(session *stripe.CheckoutSession) Checkout {
	c := Checkout{
		ID: session.ID, Tag: session.Metadata[stripeapi.TagKey], PurchaseID: session.Metadata["purchase_id"],
		Credits: session.Metadata["credits"], PaymentStatus: string(session.PaymentStatus),
		RecoveredFrom: session.RecoveredFrom,
		Currency:      string(session.Currency), Subtotal: session.AmountSubtotal,
		Paid: session.AmountTotal, PaidCurrency: string(session.Currency),
		Expired: session.Status == stripe.CheckoutSessionStatusExpired,
	}
	if session.PaymentIntent != nil {
		c.PaymentIntent, c.Failed = session.PaymentIntent.ID, failed(session.PaymentIntent.Status)
	}
	if conversion := session.CurrencyConversion; conversion != nil {
		c.Currency, c.Subtotal = string(conversion.SourceCurrency), conversion.AmountSubtotal
	}
	if session.Customer != nil {
		c.Customer = session.Customer.ID
	}
	if session.CustomerDetails != nil {
		c.Email = session.CustomerDetails.Email
	}
	return c
}

// failed reports whether a payment attempt failed or was canceled.
//
// Source: https://docs.stripe.com/payments/paymentintents/lifecycle
func failed(status stripe.PaymentIntentStatus) bool {
	return status == stripe.PaymentIntentStatusRequiresPaymentMethod || status == stripe.PaymentIntentStatusCanceled
}

// fetchCharge asks Stripe for a charge and records it, so that its payment is known from now on. It records nothing for
// an unknown charge, nor for figures that cannot be true.
//
// Errors: fault.Unavailable when Stripe does not answer. Source: https://docs.stripe.com/api/charges/retrieve
func (s *Service) fetchCharge(ctx context.Context, chargeID string) error {
	params := &stripe.ChargeParams{}
	params.Context = ctx
	ch, err := s.Stripe.Charges.Get(chargeID, params)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return nil
	case err != nil:
		return stripeapi.Fault(err)
	}
	c := Charge{ID: ch.ID, PaymentRef: ch.ID, Currency: string(ch.Currency), Amount: ch.Amount,
		AmountRefunded: ch.AmountRefunded}
	if ch.PaymentIntent != nil {
		c.PaymentRef = ch.PaymentIntent.ID
	}
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error { return recordCharge(tx, c) })
	if errors.As(err, new(ReviewError)) {
		return nil
	}
	return err
}

// RefundOf converts a refund of the API.
func RefundOf(r *stripe.Refund) Refund {
	refund := Refund{ID: r.ID, Currency: string(r.Currency), Status: string(r.Status),
		FailureReason: string(r.FailureReason), Amount: r.Amount}
	if r.Charge != nil {
		refund.ChargeID = r.Charge.ID
	}
	if r.PaymentIntent != nil {
		refund.PaymentRef = r.PaymentIntent.ID
	}
	return refund
}

// fetchDispute asks Stripe for the state of a dispute. It returns nil when Stripe does not know it.
//
// Errors: fault.Unavailable when Stripe does not answer. Source: https://docs.stripe.com/api/disputes/retrieve
func (s *Service) fetchDispute(ctx context.Context, id string) (*Dispute, error) {
	params := &stripe.DisputeParams{}
	params.Context = ctx
	found, err := s.Stripe.Disputes.Get(id, params)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return nil, nil
	case err != nil:
		return nil, stripeapi.Fault(err)
	}
	d := DisputeOf(found)
	return &d, nil
}

// DisputeOf converts a dispute of the API.
func DisputeOf(d *stripe.Dispute) Dispute {
	dispute := Dispute{ID: d.ID, Currency: string(d.Currency), Status: string(d.Status), Amount: d.Amount}
	if d.Charge != nil {
		dispute.ChargeID = d.Charge.ID
	}
	if d.PaymentIntent != nil {
		dispute.PaymentRef = d.PaymentIntent.ID
	}
	if d.EvidenceDetails != nil {
		dispute.DueBy = d.EvidenceDetails.DueBy
	}
	for _, moved := range d.BalanceTransactions {
		dispute.AddMovement(moved.Amount, string(moved.Currency))
	}
	return dispute
}

// AddMovement adds one movement of the Stripe balance to what the dispute has withdrawn. amount is negative when the
// bank took money.
func (d *Dispute) AddMovement(amount int64, currency string) {
	if amount < -maxCents || amount > maxCents { // cannot be true
		amount = 0
	}
	d.Withdrawn, d.WithdrawnCurrency = d.Withdrawn-amount, currency
	if d.Withdrawn == 0 { // everything has come back
		d.WithdrawnCurrency = ""
	}
}

// fetchPayment asks Stripe whether a payment is another product's, and remembers it if so.
//
// Errors: fault.Unavailable when Stripe does not answer. Source: https://docs.stripe.com/api/payment_intents/retrieve
func (s *Service) fetchPayment(ctx context.Context, paymentRef string) error {
	params := &stripe.PaymentIntentParams{}
	params.Context = ctx
	var metadata map[string]string
	payment, err := s.Stripe.PaymentIntents.Get(paymentRef, params)
	switch {
	case err == nil:
		metadata = payment.Metadata
	case stripeapi.MissingParam(err) == "":
		return stripeapi.Fault(err)
	}
	ours, err := s.isOurs(ctx, metadata)
	if err != nil || ours {
		return err
	}
	return s.rememberForeign(ctx, foreignPayment, paymentRef)
}
