package purchase

import (
	"context"
	"net/url"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// receiptBudget is how long somebody who wants a receipt may wait for Stripe.
const receiptBudget = 3 * time.Second

// PayURL is where a purchase can still be paid; empty when it cannot, or only for a few minutes more.
func (s *Service) PayURL(p models.Purchase) string {
	if p.Status != models.PurchasePending || s.Now().Sub(p.CreatedAt) > checkoutLife-10*time.Minute {
		return ""
	}
	return p.CheckoutURL
}

// HasReceipt reports whether Stripe has written something to show for a purchase.
func HasReceipt(p models.Purchase) bool {
	return p.Status == models.PurchasePaid && p.CheckoutSessionID != ""
}

// Receipt asks Stripe where a user's purchase has its invoice, or else its receipt. Nothing of it is kept: such an
// address shows names and postal addresses to whoever has it, and Stripe lets it end.
//
// Errors: fault.NotFound for an unknown purchase, another user's, and one for which there is nothing to show;
// fault.Unavailable when Stripe does not answer.
// Source: https://docs.stripe.com/api/checkout/sessions/object (invoice), https://docs.stripe.com/api/charges/object (receipt_url)
func (s *Service) Receipt(ctx context.Context, userID int64, id string) (string, error) {
	p, err := s.Purchase(ctx, userID, id)
	switch {
	case err != nil:
		return "", err
	case !HasReceipt(p):
		return "", fault.Because(fault.NotFound, fault.ReceiptMissing)
	}
	ctx, cancel := context.WithTimeout(ctx, receiptBudget)
	defer cancel()
	params := &stripe.CheckoutSessionParams{}
	params.Context = ctx
	params.AddExpand("invoice")
	params.AddExpand("payment_intent.latest_charge")
	session, err := s.Stripe.CheckoutSessions.Get(p.CheckoutSessionID, params)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return "", fault.Because(fault.NotFound, fault.ReceiptMissing)
	case err != nil:
		err = stripeapi.Fault(err)
		if f := fault.Of(err); f != nil {
			f.Problem = fault.ReceiptAway
		}
		return "", err
	}
	for _, address := range papers(session) {
		if u, err := url.Parse(address); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && !s.Livemode) {
			return address, nil
		}
	}
	return "", fault.Because(fault.NotFound, fault.ReceiptMissing)
}

// papers are the addresses of what Stripe has written about a session, the best first.
func papers(session *stripe.CheckoutSession) []string {
	var all []string
	if in := session.Invoice; in != nil {
		all = append(all, in.HostedInvoiceURL, in.InvoicePDF)
	}
	if pi := session.PaymentIntent; pi != nil && pi.LatestCharge != nil {
		all = append(all, pi.LatestCharge.ReceiptURL)
	}
	return all
}
