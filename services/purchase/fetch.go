package purchase

import (
	"context"

	"github.com/stripe/stripe-go/v79"
)

// FetchCheckout asks Stripe how a session stands. Call it where no lock is held.
//
// Errors: ErrNotOurs while the session is open, expired or unknown: there is nothing to record; fault.Unavailable when
// Stripe does not answer.
// Source: https://docs.stripe.com/api/checkout/sessions/retrieve
func (s *Service) FetchCheckout(ctx context.Context, sessionID string) (Checkout, error) {
	params := &stripe.CheckoutSessionParams{}
	params.Context = ctx
	session, err := s.Stripe.CheckoutSessions.Get(sessionID, params)
	switch {
	case err != nil && missingParam(err) != "":
		return Checkout{}, ErrNotOurs
	case err != nil:
		return Checkout{}, stripeFault(err)
	case session.Status != stripe.CheckoutSessionStatusComplete:
		return Checkout{}, ErrNotOurs
	}
	c := Checkout{
		ID: session.ID, ClientReferenceID: session.ClientReferenceID, PurchaseID: session.Metadata["purchase_id"],
		Credits: session.Metadata["credits"], PaymentStatus: string(session.PaymentStatus),
		Currency: string(session.Currency), Subtotal: session.AmountSubtotal, Paid: session.AmountTotal,
	}
	if session.PaymentIntent != nil {
		c.PaymentIntent = session.PaymentIntent.ID
	}
	if conversion := session.CurrencyConversion; conversion != nil {
		c.Currency, c.Subtotal = string(conversion.SourceCurrency), conversion.AmountSubtotal
	}
	return c, nil
}
