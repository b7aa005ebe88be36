package models

import (
	"time"

	"github.com/google/uuid"
)

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
	Priority       WithdrawalPriority
	Fold           string // equal for equal declarations; empty after erasure
	Copies         int64  // equal declarations of the same sender
	Sender         string // identifies the sender; kept for an hour
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
	Declared   int64 // equal declarations, of all senders
	OwnAddress bool  // Email is that of the account that declared it
}
