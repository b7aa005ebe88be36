package purchase

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/stripe/stripe-go/v79"
)

// Tax is how the seller stands to value added tax, and with it what Checkout asks of a buyer and what an invoice says.
type Tax struct {
	Automatic bool              // Stripe Tax computes it from the buyer's address
	IDs       bool              // companies may give their tax id
	Note      map[string]string // by locale: why no tax is charged, for whom that holds; stands on every invoice
}

// ask makes Checkout write an invoice, and ask the buyer for what has to stand on it.
// Source: https://docs.stripe.com/payments/checkout/receipts, https://docs.stripe.com/tax/checkout/tax-ids
func (t Tax) ask(params *stripe.CheckoutSessionParams, locale string) {
	params.InvoiceCreation = &stripe.CheckoutSessionInvoiceCreationParams{Enabled: stripe.Bool(true),
		InvoiceData: &stripe.CheckoutSessionInvoiceCreationInvoiceDataParams{Metadata: params.Metadata}}
	if note := t.Note[locale]; note != "" {
		params.InvoiceCreation.InvoiceData.Footer = stripe.String(note)
	}
	if !t.Automatic && !t.IDs {
		return
	}
	// Both need the buyer's address, and a customer that is there already keeps it only when it is told to.
	params.CustomerUpdate = &stripe.CheckoutSessionCustomerUpdateParams{Address: stripe.String("auto")}
	if t.Automatic {
		params.AutomaticTax = &stripe.CheckoutSessionAutomaticTaxParams{Enabled: stripe.Bool(true)}
	}
	if t.IDs {
		params.TaxIDCollection = &stripe.CheckoutSessionTaxIDCollectionParams{Enabled: stripe.Bool(true)}
		params.CustomerUpdate.Name = stripe.String("auto")          // the company's name belongs to its tax id
		params.BillingAddressCollection = stripe.String("required") // and an invoice to a company needs both
	}
}

// key tells requests apart that these settings make different: Stripe refuses other parameters under a key it has seen.
func (t Tax) key(locale string) string {
	parts := []string{"invoice"}
	if t.Automatic {
		parts = append(parts, "automatic")
	}
	if t.IDs {
		parts = append(parts, "ids")
	}
	if note := t.Note[locale]; note != "" {
		sum := sha256.Sum256([]byte(note))
		parts = append(parts, hex.EncodeToString(sum[:4])) // its words may change with a release
	}
	return strings.Join(parts, "+")
}
