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

// receiptBudget bounds how long a request for a receipt waits for Stripe.
const receiptBudget = 3 * time.Second

// PayURL returns the address where a purchase can be paid, or "" when it cannot or its Checkout ends within ten
// minutes.
func (s *Service) PayURL(p models.Purchase) string {
	if p.Status != models.PurchasePending || s.Now().Sub(p.CreatedAt) > checkoutLife-10*time.Minute {
		return ""
	}
	return p.CheckoutURL
}

// HasReceipt reports whether Stripe has an invoice or a receipt for a purchase.
func HasReceipt(p models.Purchase) bool {
	return p.Status == models.PurchasePaid && p.CheckoutSessionID != ""
}

// Receipt asks Stripe for the address of a purchase's invoice, or else of its receipt. The address is not stored: it
// expires, and shows names and postal addresses to anyone who has it.
//
// Errors: fault.NotFound for an unknown purchase, another user's, and one without a receipt; fault.Unavailable when
// Stripe does not answer.
// Source: https://docs.stripe.com/api/checkout/sessions/object (invoice), https://docs.stripe.com/api/charges/object
// (receipt_url)
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
	for _, address := range receiptURLs(session) {
		u, err := url.Parse(address)
		if err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && !s.Livemode) {
			return address, nil
		}
	}
	return "", fault.Because(fault.NotFound, fault.ReceiptMissing)
}

// receiptURLs returns the addresses of a session's invoice and receipt, the best first.
func receiptURLs(session *stripe.CheckoutSession) []string {
	var all []string
	if in := session.Invoice; in != nil {
		all = append(all, in.HostedInvoiceURL, in.InvoicePDF)
	}
	if pi := session.PaymentIntent; pi != nil && pi.LatestCharge != nil {
		all = append(all, pi.LatestCharge.ReceiptURL)
	}
	return all
}
