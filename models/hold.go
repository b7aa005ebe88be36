package models

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
)

// HoldStatus is the state of a hold. All but HoldOpen are final.
type HoldStatus string

// The statuses.
const (
	HoldOpen     HoldStatus = "open"
	HoldCaptured HoldStatus = "captured" // all or some of its credits were taken; the rest is free again
	HoldReleased HoldStatus = "released" // freed by its caller
	HoldExpired  HoldStatus = "expired"  // freed when its time was over
)

const (
	// RefundHoldSQL is the condition of a hold that reserves credits for a refund.
	RefundHoldSQL = `feature IN ('refund', 'withdrawal')`
	// FeatureHoldSQL is the condition of a hold that reserves credits for a feature.
	FeatureHoldSQL = `feature NOT IN ('refund', 'withdrawal', 'withdrawal_period')`
)

// HoldStatuses lists every status.
func HoldStatuses() []HoldStatus {
	return []HoldStatus{HoldOpen, HoldCaptured, HoldReleased, HoldExpired}
}

// Hold reserves credits for a feature while it runs. Open holds count in the user's CreditsHeld.
type Hold struct {
	ID             uuid.UUID
	UserID         int64
	APIKeyID       *uuid.UUID // the service key that made it; nil for the user's session
	Feature        Reason
	Credits        Credits // reserved
	Captured       Credits // taken; 0 unless captured
	Status         HoldStatus
	TransactionID  *int64 // the entry of the capture
	IdempotencyKey string // unique for caller and user; empty for none
	RequestHash    string
	RecipientHash  string          `gorm:"column:named"` // as in Meta
	Metadata       json.RawMessage `gorm:"type:jsonb"`   // sent by the caller, a JSON object
	ExpiresAt      time.Time       // by the database's clock
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// PeriodHold is the credits of a purchase that are held until its withdrawal period ends.
type PeriodHold struct {
	ID             uuid.UUID // of the hold
	PurchaseID     uuid.UUID
	PurchaseNumber PurchaseNumber
	Credits        Credits
	Until          time.Time // by the database's clock
}

// FeaturePrice is the price of a feature. Only active features can be spent on.
type FeaturePrice struct {
	Feature   Reason `gorm:"primaryKey"` // also the reason of its entries
	Credits   Credits
	Active    bool
	LabelEN   string // shown for features without a text of their own
	LabelDE   string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// FeatureOrder returns the SQL order of features: the built-in ones, then the operator's, oldest first.
func FeatureOrder() string {
	quoted := make([]string, len(features))
	for i, f := range features {
		quoted[i] = "'" + string(f) + "'"
	}
	return "array_position(ARRAY[" + strings.Join(quoted, ", ") + "], feature), created_at, feature"
}

// Label returns the operator's name of the feature in a language, or empty.
func (f FeaturePrice) Label(locale string) string {
	if locale == "de" {
		return f.LabelDE
	}
	return f.LabelEN
}
