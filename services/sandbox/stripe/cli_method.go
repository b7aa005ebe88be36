package stripe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

const kindMethod = "payment_method"

// method is how somebody pays: a test card, or a bank account.
type method struct {
	ID             string            `json:"id"`
	BillingDetails billingDetails    `json:"billing_details"`
	Card           *methodCardData   `json:"card,omitempty"`
	Created        int64             `json:"created"`
	Metadata       map[string]string `json:"metadata"`
	SepaDebit      *methodDebitData  `json:"sepa_debit,omitempty"`
	Type           string            `json:"type"`
}

func (m *method) ref() (string, string) { return kindMethod, m.ID }

type methodCardData struct {
	Brand    string `json:"brand"`
	Country  string `json:"country"`
	ExpMonth int64  `json:"exp_month"`
	ExpYear  int64  `json:"exp_year"`
	Funding  string `json:"funding"`
	Last4    string `json:"last4"`
}

type methodDebitData struct {
	BankCode    *string `json:"bank_code"`
	BranchCode  *string `json:"branch_code"`
	Country     string  `json:"country"`
	Fingerprint string  `json:"fingerprint"` // names the account without telling its number
	Last4       string  `json:"last4"`
}

var methodParams = metadataParams("metadata").with(addressParams("billing_details[address]"), schema{
	"type": oneOf("card", "sepa_debit"), "card[token]": oneOf("tok_visa"), "sepa_debit[iban]": text(34),
	"billing_details[email]": emailAddress, "billing_details[name]": text(5000), "billing_details[phone]": text(5000),
})

// createMethod takes a card by the name of a test token, or a bank account by its number.
func (s *Server) createMethod(ctx context.Context, t *txn, c *call) (any, error) {
	f := c.form
	if err := f.require("type"); err != nil {
		return nil, err
	}
	m := &method{ID: newID("pm_"), Created: t.now.Unix(), Type: f["type"], BillingDetails: billingDetails{
		Address: f.address("billing_details[address]"), Email: f.optional("billing_details[email]"),
		Name: f.optional("billing_details[name]"), Phone: f.optional("billing_details[phone]"),
	}}
	var err error
	if m.Metadata, err = f.metadata("metadata", nil); err != nil {
		return nil, err
	}
	switch m.Type {
	case "card":
		err = f.require("card[token]")
		m.Card = &methodCardData{Brand: "visa", Country: "US", ExpMonth: 12, ExpYear: int64(t.now.Year()) + 1, Funding: "credit", Last4: "4242"}
	default:
		err = f.require("sepa_debit[iban]", "billing_details[name]", "billing_details[email]")
		if err == nil {
			m.SepaDebit, err = account(f["sepa_debit[iban]"])
		}
	}
	if err != nil {
		return nil, err
	}
	return m, t.put(ctx, m)
}

// account reads the number of a bank account.
func account(iban string) (*methodDebitData, error) {
	iban = strings.ToUpper(strings.ReplaceAll(iban, " ", ""))
	if len(iban) < 15 {
		return nil, invalid("invalid_bank_account_iban", "sepa_debit[iban]", "The IBAN you provided is invalid.")
	}
	return &methodDebitData{Country: iban[:2], Fingerprint: fingerprint(iban), Last4: iban[len(iban)-4:]}, nil
}

func fingerprint(iban string) string {
	sum := sha256.Sum256([]byte(iban))
	return hex.EncodeToString(sum[:8])
}

// refusingAccounts are test accounts whose bank does not carry out a debit. Source:
// https://docs.stripe.com/payments/sepa-debit/accept-a-payment#test-integration, and the triggers of Stripe's command line
var refusingAccounts = []string{fingerprint("IT60X0542811101000000123456"), fingerprint("AT861904300235473202"), fingerprint("DE62370400440532013001")}

// refusedByBank tells whether a debit of this account will fail.
func (m *method) refusedByBank() bool {
	return m.SepaDebit != nil && slices.Contains(refusingAccounts, m.SepaDebit.Fingerprint)
}
