package models

import (
	"time"

	"github.com/google/uuid"
)

// LegalZone is the time zone in which the periods of German law end. Letters state times in it, because the reader's
// own zone is unknown.
const LegalZone = "Europe/Berlin"

// Withdrawal is a consumer's declaration of withdrawal from a contract, as received.
type Withdrawal struct {
	ID             uuid.UUID
	IdempotencyKey string     // of the form and its content
	UserID         *int64     // nil for an anonymous sender
	PurchaseID     *uuid.UUID // nil unless declared on a purchase's page
	Name           string
	Email          string // for the confirmation
	Contract       string // as the consumer describes it
	Locale         string
	ReceivedAt     time.Time
	HandledAt      *time.Time // nil while it needs a person
	HandledBy      *int64     // nil once that account is removed
	RefundedCents  *Cents     // refunded of the payment when it was handled
	RefundRequest  *uuid.UUID // the refund that it led to
	JudgedAt       *time.Time // when it was left to a person
	Reworded       bool       // the consumer changed the description of the purchase

	UsedCredits    *Credits   // of the purchase, when declared; nil if that is unknown
	RunningCredits Credits    // of these, in holds of work that was running
	WaivedCredits  Credits    // of these, given back because nothing is owed for them
	HoldID         *uuid.UUID // reserves the unused credits

	Priority WithdrawalPriority
	Fold     string // equal for equal declarations; empty after erasure
	Copies   int64  // equal declarations of the same sender
	Sender   string // identifies the sender; kept for an hour
}

// Unused returns how many credits of the purchase are left and were unused when the withdrawal was declared.
func (w Withdrawal) Unused(p Purchase) Credits {
	if w.UsedCredits == nil {
		return 0
	}
	return max(p.CreditsLeft()-*w.UsedCredits, 0)
}

// Waived returns how many used credits the refunds of the purchase took although the buyer owes nothing for them.
func (w Withdrawal) Waived(p Purchase) Credits {
	if w.UsedCredits == nil || p.LatestConsent().Complete() {
		return 0
	}
	return max(*w.UsedCredits-(p.CreditsGranted-p.CreditsRefunded), 0)
}

// WithdrawalPriority orders the list of declarations.
type WithdrawalPriority int16

// The priorities.
const (
	WithdrawalPriorityBuyer  WithdrawalPriority = 0 // about a purchase, or from the address of a buyer
	WithdrawalPriorityNormal WithdrawalPriority = 1
	WithdrawalPriorityFlood  WithdrawalPriority = 2 // one of many from the same sender within an hour
)

// ListedWithdrawal is a row of the admins' list; it stands for all equal open declarations.
type ListedWithdrawal struct {
	Withdrawal
	Declared       int64          // equal declarations, of all senders
	PurchaseNumber PurchaseNumber // of PurchaseID; 0 without one
	OwnAddress     bool           // Email is that of the account that declared it

	Entitlement *Entitlement `gorm:"-"` // nil once it is closed
	Overdue     bool         `gorm:"-"` // the money should have been refunded
	Currency    string       `gorm:"-"` // of what was refunded; empty without a purchase
}
