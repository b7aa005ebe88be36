package purchase

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/stripe/stripe-go/v79"
)

// Tax is how the seller charges value added tax. It decides what Checkout asks of the buyer and what the invoice
// states.
type Tax struct {
	Automatic bool              // Stripe Tax computes the tax from the buyer's address
	IDs       bool              // companies may enter their tax id
	Note      map[string]string // by locale: footer of every invoice, such as why no tax is charged
}

// apply makes Checkout write an invoice, and ask the buyer for what the invoice must state.
//
// Source: https://docs.stripe.com/payments/checkout/receipts, https://docs.stripe.com/tax/checkout/tax-ids
func (t Tax) apply(params *stripe.CheckoutSessionParams, locale string) {
	params.InvoiceCreation = &stripe.CheckoutSessionInvoiceCreationParams{Enabled: stripe.Bool(true),
		InvoiceData: &stripe.CheckoutSessionInvoiceCreationInvoiceDataParams{Metadata: params.Metadata}}
	if note := t.Note[locale]; note != "" {
		params.InvoiceCreation.InvoiceData.Footer = stripe.String(note)
	}
	if !t.Automatic && !t.IDs {
		return
	}
	// Both need the buyer's address, which an existing customer keeps only with CustomerUpdate.
	params.CustomerUpdate = &stripe.CheckoutSessionCustomerUpdateParams{Address: stripe.String("auto")}
	if t.Automatic {
		params.AutomaticTax = &stripe.CheckoutSessionAutomaticTaxParams{Enabled: stripe.Bool(true)}
	}
	if t.IDs {
		params.TaxIDCollection = &stripe.CheckoutSessionTaxIDCollectionParams{Enabled: stripe.Bool(true)}
		params.CustomerUpdate.Name = stripe.String("auto")          // a tax id needs the company's name,
		params.BillingAddressCollection = stripe.String("required") // and its invoice needs the address, too
	}
}

// key distinguishes the idempotency keys of requests that differ by these settings: Stripe refuses a used key with
// other parameters.
func (t Tax) key(locale string) string {
	parts := []string{"invoice"}
	if t.Automatic {
		parts = append(parts, "automatic")
	}
	if t.IDs {
		parts = append(parts, "ids")
	}
	if note := t.Note[locale]; note != "" {
		parts = append(parts, textKey(note))
	}
	return strings.Join(parts, "+")
}

// textKey distinguishes texts in an idempotency key: a release may change them.
func textKey(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}
