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
}
