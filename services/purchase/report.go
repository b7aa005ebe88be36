package purchase

import (
	"errors"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Report is an object that Stripe reported and that Book can book: a Checkout, a Charge, a Refund or a Dispute.
type Report interface {
	// needs reads from our rows which facts booking the report takes that only Stripe has. waited says that an event has
	// waited for a purchase that never came, so that Stripe must be asked which product the payment paid for.
	needs(db *gorm.DB, waited bool) (needs, error)
	// book writes the report to the ledger with these facts. It returns ErrStaleFacts when it needs others.
	book(s *Service, tx models.Tx, facts StripeFacts, eventID string) ([]models.CreditTransaction, error)
}

// The reports, with the fields that the package decides on. Units: cents of the currency named beside the amount.
type (
	// Checkout is a Checkout Session.
	Checkout struct {
		ID            string
		Tag           string // metadata: the installation that opened it; empty for others and for sessions older than tags
		PurchaseID    string // metadata.purchase_id
		Credits       string // metadata.credits, as text
		Customer      string // empty for guests
		Email         string // typed at Checkout, unverified
		PaymentStatus string // paid, unpaid or no_payment_required
		PaymentIntent string
		Expired       bool   // closed unpaid; set only where the API answered
		Failed        bool   // unpaid and refused by the bank; set only where the API answered
		Currency      string // of Subtotal: the currency that we priced the order in
		Subtotal      int64  // before discounts, taxes included
		Paid          int64  // amount of the payment
		PaidCurrency  string // of Paid: the buyer's, where Stripe converted our price
		Unclear       bool   // paid, with figures that cannot be true; see checked
		RecoveredFrom string // the expired session that Stripe copied this one from; a buyer cannot write it
	}
	// Charge is a charge with the sum of its refunds so far.
	Charge struct {
		ID             string
		PaymentRef     string // the payment intent; the charge itself where there is none
		Currency       string
		Amount         int64
		AmountRefunded int64 // cumulative
	}
	// Refund is one refund.
	Refund struct {
		ID            string
		ChargeID      string
		PaymentRef    string // empty when Stripe names only the charge
		Currency      string
		Status        string
		FailureReason string
		Amount        int64
		Listed        bool // read from Stripe's list of the payment's refunds, which then needs no further reading
	}
	// Dispute is money that a card holder's bank takes back, or an inquiry about it.
	Dispute struct {
		ID                string
		ChargeID          string
		PaymentRef        string // empty when Stripe names only the charge
		Currency          string // of Amount; usually the payment's
		Status            string
		Amount            int64
		Withdrawn         int64 // taken by the bank, less what it gave back
		WithdrawnCurrency string
		DueBy             int64 // when Stripe's time for an answer ends, in seconds since 1970; 0 if unknown
		ReportedAt        int64 // creation of the event in seconds since 1970; 0 where the API answered
	}
)

// ErrNotOurs says that no purchase of ours belongs to a report.
var ErrNotOurs = errors.New("no purchase of ours")

// ReviewError says that a report contradicts our rows, so that a person must decide.
type ReviewError string

// Error returns the contradiction, without names or amounts.
func (e ReviewError) Error() string { return string(e) }

// Unwrap returns the cause.
func (e ReviewError) Unwrap() error { return models.Cause(e) }
