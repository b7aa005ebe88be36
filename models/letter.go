package models

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Letter is an e-mail that the product sends.
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
	ExpiresAt     time.Time // when it fails if no server has accepted it
	LastError     Cause     // of the last attempt
	CreatedAt     time.Time
	SentAt        *time.Time // when the mail server accepted it
}

// LetterStatus is the state of a letter.
type LetterStatus string

// The states. The last three are final, unless an admin sends a failed letter again.
const (
	LetterWaiting LetterStatus = "waiting" // for its first or its next attempt
	LetterSent    LetterStatus = "sent"    // accepted by the mail server
	LetterFailed  LetterStatus = "failed"  // refused for good, or not accepted within 72 hours
	LetterDropped LetterStatus = "dropped" // the account was deleted before, the user does not want it, or an admin closed it
)

// LetterStatuses lists every status.
func LetterStatuses() []LetterStatus {
	return []LetterStatus{LetterWaiting, LetterSent, LetterFailed, LetterDropped}
}

// UnsentLetter is a letter in the admins' list of those that were not sent.
type UnsentLetter struct {
	Letter
	UserName      string     // of the user concerned; empty without one
	UserDeletedAt *time.Time // of the user concerned
}

// Bounce is a user's e-mail address that the mail server last refused.
type Bounce struct {
	UserID    int64
	Email     string
	Cause     Cause
	BouncedAt time.Time
}
