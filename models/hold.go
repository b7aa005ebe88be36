package models

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
)

// HoldStatus is how far a hold has come. Every one but HoldOpen is final.
type HoldStatus string

// The statuses.
const (
	HoldOpen     HoldStatus = "open"
	HoldCaptured HoldStatus = "captured" // taken, wholly or in part; the rest is free again
	HoldReleased HoldStatus = "released" // given back by its owner
	HoldExpired  HoldStatus = "expired"  // given back because nobody captured it in time
)

// HoldStatuses lists every status, for the test that wants a text for each.
func HoldStatuses() []HoldStatus {
	return []HoldStatus{HoldOpen, HoldCaptured, HoldReleased, HoldExpired}
}

// Hold is credits reserved for a feature while it runs. Open ones count in the user's CreditsHeld.
type Hold struct {
	ID             uuid.UUID
	UserID         int64
	APIKeyID       *uuid.UUID // the service key that owns it; nil for the user's own session
	Feature        Reason
	Credits        Credits // reserved
	Captured       Credits // taken of them; 0 unless captured
	Status         HoldStatus
	TransactionID  *int64 // the ledger line of the capture
	IdempotencyKey string // of the request that made it, unique for its owner and user; empty without one
	RequestHash    string
	RecipientHash  string          `gorm:"column:named"` // as in Meta
	Metadata       json.RawMessage `gorm:"type:jsonb"`   // the owner's own words, a JSON object
	ExpiresAt      time.Time       // by the database's clock
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// FeaturePrice is what a feature costs. Only active ones can be spent on.
type FeaturePrice struct {
	Feature   Reason `gorm:"primaryKey"` // also the reason of its ledger lines
	Credits   Credits
	Active    bool
	LabelEN   string // what people read, where the program has no words of its own for the feature
	LabelDE   string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// FeatureOrder is the order of features in SQL: those that the program knows from the start, then those that the operator
// added, oldest first.
func FeatureOrder() string {
	quoted := make([]string, len(features))
	for i, f := range features {
		quoted[i] = "'" + string(f) + "'"
	}
	return "array_position(ARRAY[" + strings.Join(quoted, ", ") + "], feature), created_at, feature"
}

// Label is the operator's own name of the feature in a language, or empty.
func (f FeaturePrice) Label(locale string) string {
	if locale == "de" {
		return f.LabelDE
	}
	return f.LabelEN
}
