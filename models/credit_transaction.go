package models

import (
	"database/sql/driver"
	"encoding/json"
	"time"
)

// CreditTransaction is one entry of the ledger: signed and append-only.
type CreditTransaction struct {
	ID            int64
	UserID        int64
	DeltaCredits  Credits
	Reason        Reason
	StripeEventID *string
	Meta          Meta
	CreatedAt     time.Time
	BalanceAfter  Credits // the user's balance after this entry, set by the database
	LabelEN       string  `gorm:"->"` // the operator's name of the feature; only histories read it
	LabelDE       string  `gorm:"->"`
	MovedAway     bool    `gorm:"->"` // its purchase belongs to another user now; only histories read it

	PurchaseNumber PurchaseNumber `gorm:"->"` // of Meta.PurchaseID; only histories read it
}

// DayUsage is what one day added and took. Units: credits, both 0 or more.
type DayUsage struct {
	Begins  time.Time // the start of the day, in the reader's time zone
	In, Out Credits
}

// Meta holds further facts about an entry: the fields that apply.
type Meta struct {
	PurchaseID     string `json:"purchase_id,omitempty"`
	Session        string `json:"session,omitempty"`
	PaymentIntent  string `json:"payment_intent,omitempty"`
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// Caller is the id of the service key that sent the request, empty for the user's session.
	Caller string `json:"caller,omitempty"`
	// RecipientHash covers caller, key and address. It is empty if the request gave the user's id.
	RecipientHash string `json:"named,omitempty"`
	// RequestHash distinguishes a repeated request from another one with the same key.
	RequestHash string `json:"request_hash,omitempty"`
	HoldID      string `json:"hold_id,omitempty"`
	// Actor is "user:<id>" for an admin, "operator" for the command line, or "system".
	Actor           string          `json:"actor,omitempty"`
	Note            string          `json:"note,omitempty"`
	Withdrawal      string          `json:"withdrawal,omitempty"`  // the withdrawal that waives used credits, or with which they lapse
	Counterpart     int64           `json:"counterpart,omitempty"` // the other user of a transfer
	RequestMetadata json.RawMessage `json:"metadata,omitempty"`    // sent by the caller of a spend
}

// Value writes JSON as a string: in pgx's exec mode a []byte would arrive as bytea.
func (m Meta) Value() (driver.Value, error) {
	text, err := json.Marshal(m)
	return string(text), err
}

// Scan reads the fields from jsonb.
func (m *Meta) Scan(value any) error {
	if value == nil {
		*m = Meta{}
		return nil
	}
	return scanJSON(value, m)
}
