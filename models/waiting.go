package models

import (
	"time"

	"github.com/google/uuid"
)

// WaitingKind is what kind of thing waits for a person. It is also a locale key: waiting.kind.<kind>.
type WaitingKind string

// The kinds.
const (
	WaitingPurchase WaitingKind = "purchase" // paid, and not booked
	WaitingEvent    WaitingKind = "event"    // of Stripe's
	WaitingFinding  WaitingKind = "finding"  // of a reconciliation
)

// WaitingKinds lists every kind, for the test that wants a text for each.
func WaitingKinds() []WaitingKind {
	return []WaitingKind{WaitingPurchase, WaitingEvent, WaitingFinding}
}

// Waiting is one thing that waits for a person.
type Waiting struct {
	Kind       WaitingKind
	ID         string
	Cause      Cause // or what else kept it from being booked
	Since      time.Time
	PurchaseID *uuid.UUID // that it is about; nil for none of ours
	ObjectID   string     // at Stripe; "user:7" for a balance
}
