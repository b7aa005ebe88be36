package mail

import (
	"time"

	"github.com/resume-matcher/credits/models"
)

// The arguments of the kinds of letters.

// Purchase are those of the letters about a purchase.
type Purchase struct {
	ID        string                `json:"id"`
	Number    models.PurchaseNumber `json:"number,omitempty"` // 0 in letters of earlier releases, as below
	OrderedAt time.Time             `json:"ordered_at"`
	Credits   models.Credits        `json:"credits"` // of the order
	Cents     models.Cents          `json:"cents"`   // of the order
	Currency  string                `json:"currency"`
	Consent   *models.Consent       `json:"consent,omitempty"` // declared last
	Moved     models.Credits        `json:"moved,omitempty"`   // by what the letter is about; negative when taken
	Balance   models.Credits        `json:"balance,omitempty"` // after that

	UsableFrom *time.Time `json:"usable_from,omitempty"` // nil for at once
}

// LowBalanceReached are those of models.LetterLowBalance. The trigger letter_entries writes them.
type LowBalanceReached struct {
	Balance   models.Credits `json:"balance"`
	Threshold models.Credits `json:"threshold"`
}

// WithdrawalRefunded are those of models.LetterWithdrawalRefunded.
type WithdrawalRefunded struct {
	Purchase
	Paid         models.Cents   `json:"paid"`
	Refunded     models.Cents   `json:"refunded"` // of it, in all
	PaidCurrency string         `json:"paid_currency"`
	Full         bool           `json:"full"` // no use is paid for
	Used         models.Credits `json:"used"`
}

// WithdrawalReceived are those of models.LetterWithdrawalReceived.
type WithdrawalReceived struct {
	ID         string    `json:"id"`
	ReceivedAt time.Time `json:"received_at"`

	// Contract, Name and Email are as the consumer wrote them; empty when the letter must not repeat them.
	Contract string `json:"contract,omitempty"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
}

// InReview are those of models.LetterOperatorPurchase and models.LetterOperatorEvent.
type InReview struct {
	ID     string                `json:"id"`
	Number models.PurchaseNumber `json:"number,omitempty"` // of a purchase
	Cause  models.Cause          `json:"cause"`
}

// DisputeOpened are those of models.LetterOperatorDispute.
type DisputeOpened struct {
	ID             string                `json:"id"`
	PurchaseID     string                `json:"purchase_id"`
	PurchaseNumber models.PurchaseNumber `json:"purchase_number,omitempty"`
	Cents          models.Cents          `json:"cents"`
	Currency       string                `json:"currency"`
	DueBy          *time.Time            `json:"due_by"` // nil if Stripe has not said so
}

// WithdrawalDeclared are those of models.LetterOperatorWithdrawal.
type WithdrawalDeclared struct {
	ID         string    `json:"id"`
	ReceivedAt time.Time `json:"received_at"`
}

// FindingsFound are those of models.LetterOperatorFindings.
type FindingsFound struct {
	Findings   int64     `json:"findings"`
	Review     int64     `json:"review"` // of them, those that need a person
	FinishedAt time.Time `json:"finished_at"`
}

// Digest are those of models.LetterOperatorDigest.
type Digest struct {
	Day      time.Time      `json:"day"` // in UTC
	Revenue  []Revenue      `json:"revenue"`
	Sold     models.Credits `json:"sold"`
	Used     models.Credits `json:"used"`
	Returned models.Credits `json:"returned"` // for refunds and disputes
	Waiting  int64          `json:"waiting"`  // open reviews when it was written
	Unsent   int64          `json:"unsent"`   // letters to the operator beyond the limit of their kind
}

// Revenue is a sum in one currency.
type Revenue struct {
	Currency string       `json:"currency"`
	Cents    models.Cents `json:"cents"`
}

// EventMissing are those of models.LetterOperatorSilence.
type EventMissing struct {
	Object string `json:"session"` // Stripe's id of the session, charge, refund or dispute whose event did not come
}

// Letter returns the letter about the missing event: one a day.
func (e EventMissing) Letter(now time.Time) Letter {
	return Letter{Kind: models.LetterOperatorSilence, About: now.UTC().Format(time.DateOnly), Args: e}
}

// Access are those of the letters about the ways into an account.
type Access struct {
	At       time.Time `json:"at"`
	Provider string    `json:"provider,omitempty"` // its proper name
	Device   string    `json:"device,omitempty"`   // of models.LetterSignedIn; empty if unknown
}

// AccountDeleted are those of models.LetterAccountDeleted.
type AccountDeleted struct {
	At       time.Time `json:"at"`
	Retained bool      `json:"retained"` // bookings are
	Until    time.Time `json:"until"`    // the last day of that

	Refunds []Revenue `json:"refunds,omitempty"` // on their way
}
