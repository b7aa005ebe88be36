package models

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Letter is an e-mail that the product sends by itself.
type Letter struct {
	ID     uuid.UUID
	Kind   LetterKind
	Key    string // what it is about, unique among letters of its kind
	UserID *int64 // whom it concerns; nil for the operator, and for a consumer without an account

	// Recipient is the address that the letter goes to. It is empty for the operator, and for a user who is written to at
	// the address that the account has when the letter is sent.
	Recipient string
	Locale    string
	Args      json.RawMessage // what the text says, by kind

	// Subject, Text and HTML are the letter as it was first handed over; empty before, and after erasure.
	Subject, Text, HTML string

	Status        LetterStatus
	Attempts      int
	NextAttemptAt time.Time
	LastError     Cause // of the last attempt
	CreatedAt     time.Time
	SentAt        *time.Time // when the mail server accepted it
}

// LetterStatus is the state of a letter. Its text is letter.status.<status>.
type LetterStatus string

// The states. The last three are final, unless an admin sends a failed letter again.
const (
	LetterWaiting LetterStatus = "waiting" // for its first or its next attempt
	LetterSent    LetterStatus = "sent"    // accepted by the mail server
	LetterFailed  LetterStatus = "failed"  // refused for good, or not accepted within 72 hours
	LetterDropped LetterStatus = "dropped" // the account was deleted before, or the user switched the kind off
)

// LetterKind says what a letter is about. Its texts are letter.<kind>.
type LetterKind string

// The kinds.
const (
	LetterWithdrawalReceived LetterKind = "withdrawal_received"

	LetterPurchasePaid    LetterKind = "purchase_paid" // confirms the order, too
	LetterDebitPending    LetterKind = "debit_pending" // confirms the order; the bank pays within days
	LetterDebitFailed     LetterKind = "debit_failed"
	LetterRefunded        LetterKind = "refunded"
	LetterRefundFailed    LetterKind = "refund_failed" // its credits came back
	LetterDisputed        LetterKind = "disputed"
	LetterDisputeReturned LetterKind = "dispute_returned"
)
