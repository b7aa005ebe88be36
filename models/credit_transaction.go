package models

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// CreditTransaction is one signed, append-only line of the ledger.
type CreditTransaction struct {
	ID            int64
	UserID        int64
	DeltaCredits  Credits
	Reason        Reason
	StripeEventID *string
	Meta          Meta
	CreatedAt     time.Time
	BalanceAfter  Credits // the user's balance after this line, filled in by the database
	LabelEN       string  `gorm:"->"` // the operator's name for the feature; read with a history alone
	LabelDE       string  `gorm:"->"`
	MovedAway     bool    `gorm:"->"` // its purchase is another user's by now; read with a history alone
}

// DayUsage is what one day brought and took. Units: credits, both 0 or more.
type DayUsage struct {
	Begins  time.Time // its first moment, in the zone of who asks
	In, Out Credits
}

// Meta is what else is known of a credit transaction: those fields that apply.
type Meta struct {
	PurchaseID      string          `json:"purchase_id,omitempty"`
	Session         string          `json:"session,omitempty"`
	PaymentIntent   string          `json:"payment_intent,omitempty"`
	IdempotencyKey  string          `json:"idempotency_key,omitempty"`
	Caller          string          `json:"caller,omitempty"`       // the service key whose key it is; empty for the user's own session
	RecipientHash   string          `json:"named,omitempty"`        // of caller, key and address; empty where the caller named the user by id
	RequestHash     string          `json:"request_hash,omitempty"` // of the request that used the key, to tell a repeat from a conflict
	HoldID          string          `json:"hold_id,omitempty"`
	Actor           string          `json:"actor,omitempty"` // "user:<id>" of the admin, or "operator" on the command line
	Note            string          `json:"note,omitempty"`
	Counterpart     int64           `json:"counterpart,omitempty"` // the other account, where credits moved from one to the other
	RequestMetadata json.RawMessage `json:"metadata,omitempty"`    // the caller's own words about a spend
}

// Value writes the fields as JSON text: in pgx's exec mode a []byte would arrive as bytea.
func (m Meta) Value() (driver.Value, error) {
	text, err := json.Marshal(m)
	return string(text), err
}

// Scan reads the fields from jsonb.
func (m *Meta) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*m = Meta{}
		return nil
	case string:
		return json.Unmarshal([]byte(v), m)
	case []byte:
		return json.Unmarshal(v, m)
	default:
		return fmt.Errorf("credit transaction meta: cannot read %T", value)
	}
}
