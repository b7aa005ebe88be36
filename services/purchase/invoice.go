package purchase

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/stripeapi"
)

// PaymentOfInvoice asks Stripe which payment an invoice is for; empty if Stripe does not know the invoice, or nothing
// was to be paid.
//
// Errors: fault.Unavailable when Stripe does not answer.
func (s *Service) PaymentOfInvoice(ctx context.Context, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, receiptBudget)
	defer cancel()
	params := &stripe.InvoiceParams{}
	params.Context = ctx
	invoice, err := s.Stripe.Invoices.Get(id, params)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return "", nil
	case err != nil:
		return "", stripeapi.Fault(err)
	case invoice.PaymentIntent == nil:
		return "", nil
	}
	return invoice.PaymentIntent.ID, nil
}
