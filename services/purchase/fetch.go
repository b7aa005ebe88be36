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
var errOpen = fmt.Errorf("%w: nobody has paid yet", ErrNotOurs)

// fetchCheckout asks Stripe how a session stands. Call it where no lock is held.
//
// Errors: ErrNotOurs while the session is open (then it is errOpen, too) or unknown: there is nothing to record;
// fault.Unavailable when Stripe does not answer.
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

// CheckoutOf reads a session that the API answered.
func CheckoutOf(session *stripe.CheckoutSession) Checkout {
	c := Checkout{
		ID: session.ID, Tag: session.Metadata[stripeapi.TagKey], PurchaseID: session.Metadata["purchase_id"], Credits: session.Metadata["credits"],
		PaymentStatus: string(session.PaymentStatus), RecoveredFrom: session.RecoveredFrom,
		Currency: string(session.Currency), Subtotal: session.AmountSubtotal, Paid: session.AmountTotal, PaidCurrency: string(session.Currency),
	}
	c.Expired = session.Status == stripe.CheckoutSessionStatusExpired
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

// failed reports whether a payment that was begun came to nothing: it wants another means of payment, or was called off.
// Source: https://docs.stripe.com/payments/paymentintents/lifecycle
func failed(status stripe.PaymentIntentStatus) bool {
	return status == stripe.PaymentIntentStatusRequiresPaymentMethod || status == stripe.PaymentIntentStatusCanceled
}

// fetchCharge asks Stripe for a charge and records it, so that the payment which it belongs to is known from now on.
// An unknown charge records nothing, nor does one that cannot be.
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
	c := Charge{ID: ch.ID, PaymentRef: ch.ID, Currency: string(ch.Currency), Amount: ch.Amount, AmountRefunded: ch.AmountRefunded}
	if ch.PaymentIntent != nil {
		c.PaymentRef = ch.PaymentIntent.ID
	}
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error { return recordCharge(tx, c) })
	if errors.As(err, new(ReviewError)) {
		return nil
	}
	return err
}

// RefundOf reads a refund that the API answered.
func RefundOf(r *stripe.Refund) Refund {
	refund := Refund{ID: r.ID, Currency: string(r.Currency), Status: string(r.Status), FailureReason: string(r.FailureReason), Amount: r.Amount}
	if r.Charge != nil {
		refund.ChargeID = r.Charge.ID
	}
	if r.PaymentIntent != nil {
		refund.PaymentRef = r.PaymentIntent.ID
	}
	return refund
}
