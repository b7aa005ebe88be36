package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// paymentMethod is a test card or a bank account.
type paymentMethod struct {
	ID             string            `json:"id"`
	BillingDetails billingDetails    `json:"billing_details"`
	Card           *cardDetails      `json:"card,omitempty"`
	Created        int64             `json:"created"`
	Metadata       map[string]string `json:"metadata"`
	SepaDebit      *bankAccount      `json:"sepa_debit,omitempty"`
	Type           string            `json:"type"`
}

func (m *paymentMethod) ref() (string, string) { return kindPaymentMethod, m.ID }

type cardDetails struct {
	Brand    string `json:"brand"`
	Country  string `json:"country"`
	ExpMonth int64  `json:"exp_month"`
	ExpYear  int64  `json:"exp_year"`
	Funding  string `json:"funding"`
	Last4    string `json:"last4"`
}

type bankAccount struct {
	BankCode    *string `json:"bank_code"`
	BranchCode  *string `json:"branch_code"`
	Country     string  `json:"country"`
	Fingerprint string  `json:"fingerprint"` // identifies the account without its number
	Last4       string  `json:"last4"`
}

var paymentMethodParams = metadataParams("metadata").with(addressParams("billing_details[address]"), schema{
	"type": oneOf(methodCard, methodDebit), "card[token]": oneOf("tok_visa"), "sepa_debit[iban]": text(34),
	"billing_details[email]": emailAddress, "billing_details[name]": text(5000), "billing_details[phone]": text(5000),
})

// createPaymentMethod stores a card, named by its test token, or a bank account.
func (s *Server) createPaymentMethod(ctx context.Context, t *txn, c *call) (any, error) {
	f := c.form
	if err := f.require("type"); err != nil {
		return nil, err
	}
	m := &paymentMethod{ID: newID("pm_"), Created: t.Now.Unix(), Type: f["type"], BillingDetails: billingDetails{
		Address: f.address("billing_details[address]"), Email: f.optional("billing_details[email]"),
		Name: f.optional("billing_details[name]"), Phone: f.optional("billing_details[phone]"),
	}}
	var err error
	if m.Metadata, err = f.metadata("metadata", nil); err != nil {
		return nil, err
	}
	if m.Type == methodCard {
		err = f.require("card[token]")
		m.Card = &cardDetails{Brand: "visa", Country: "US", ExpMonth: 12, ExpYear: int64(t.Now.Year()) + 1,
			Funding: "credit", Last4: "4242"}
	} else if err = f.require("sepa_debit[iban]", "billing_details[name]", "billing_details[email]"); err == nil {
		m.SepaDebit, err = parseIBAN(f["sepa_debit[iban]"])
	}
	if err != nil {
		return nil, err
	}
	return m, t.put(ctx, m)
}

func parseIBAN(iban string) (*bankAccount, error) {
	iban = strings.ToUpper(strings.ReplaceAll(iban, " ", ""))
	if len(iban) < 15 {
		return nil, invalid("invalid_bank_account_iban", "sepa_debit[iban]", "The IBAN you provided is invalid.")
	}
	return &bankAccount{Country: iban[:2], Fingerprint: fingerprint(iban), Last4: iban[len(iban)-4:]}, nil
}

func fingerprint(iban string) string {
	sum := sha256.Sum256([]byte(iban))
	return hex.EncodeToString(sum[:8])
}

// refusingAccounts are test accounts whose bank does not carry out a debit.
// Source: https://docs.stripe.com/payments/sepa-debit/accept-a-payment#test-integration, and stripe-cli's triggers
var refusingAccounts = []string{
	fingerprint("IT60X0542811101000000123456"), fingerprint("AT861904300235473202"), fingerprint("DE62370400440532013001"),
}

func (m *paymentMethod) refusedByBank() bool {
	return m.SepaDebit != nil && slices.Contains(refusingAccounts, m.SepaDebit.Fingerprint)
}

// shipping is the address that goods are sent to. The stand-in stores it with the payment.
type shipping struct {
	Address        address `json:"address"`
	Carrier        *string `json:"carrier"`
	Name           *string `json:"name"`
	Phone          *string `json:"phone"`
	TrackingNumber *string `json:"tracking_number"`
}

func shippingParams(name string) schema {
	return addressParams(name + "[address]").with(schema{
		name + "[carrier]": text(5000), name + "[name]": text(5000), name + "[phone]": text(20),
		name + "[tracking_number]": text(5000),
	})
}

// shipping returns nil if the form has none.
func (f form) shipping(name string) *shipping {
	if !f.has(name + "[name]") {
		return nil
	}
	return &shipping{
		Address: f.address(name + "[address]"), Carrier: f.optional(name + "[carrier]"), Name: f.optional(name + "[name]"),
		Phone: f.optional(name + "[phone]"), TrackingNumber: f.optional(name + "[tracking_number]"),
	}
}

func addressParams(name string) schema {
	s := schema{}
	for _, part := range []string{"city", "country", "line1", "line2", "postal_code", "state"} {
		s[name+"["+part+"]"] = text(5000)
	}
	return s
}

func (f form) address(name string) address {
	return address{
		City: f.optional(name + "[city]"), Country: f.optional(name + "[country]"), Line1: f.optional(name + "[line1]"),
		Line2: f.optional(name + "[line2]"), PostalCode: f.optional(name + "[postal_code]"),
		State: f.optional(name + "[state]"),
	}
}
