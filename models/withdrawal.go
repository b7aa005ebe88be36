package models

import (
	"time"

	"github.com/google/uuid"
)

// Withdrawal is a consumer's declaration that they withdraw from a contract, as it was received.
type Withdrawal struct {
	ID             uuid.UUID
	IdempotencyKey string     // of the form, with what was typed into it
	UserID         *int64     // nil when nobody was signed in
	PurchaseID     *uuid.UUID // nil when it was not declared from a purchase's page
	Name           string
	Email          string // for the confirmation
	Contract       string // which one, in their words
	Locale         string
	ReceivedAt     time.Time
	HandledAt      *time.Time // nil while a person must look
	HandledBy      *int64     // nil, too, once that account is gone
	Priority       WithdrawalPriority
	Fold           string // equal for declarations of the same; empty once the words are erased
	Copies         int64  // how often its sender declared the same
	Sender         string // who sent it, for an hour; then empty
}

// WithdrawalPriority is the order in which people look at declarations.
type WithdrawalPriority int16

// The priorities.
const (
	WithdrawalOfBuyer   WithdrawalPriority = 0 // of a purchase, or from the address of somebody who has bought
	WithdrawalOfAnybody WithdrawalPriority = 1
	WithdrawalOfFlood   WithdrawalPriority = 2 // one of many that its sender sent within an hour
)

// ListedWithdrawal is a declaration on the list of those who handle them; it stands for all open ones of the same.
type ListedWithdrawal struct {
	Withdrawal
	Declared   int64 // how often the same was declared, by whomever
	OwnAddress bool  // Email is that of the account that declared it
}
