package models

import (
	"time"

	"github.com/google/uuid"
)

// WaitingKind is the kind of an item that needs a person. Its text is waiting.kind.<kind>.
type WaitingKind string

// The kinds.
const (
	WaitingPurchase WaitingKind = "purchase" // paid and not booked
	WaitingEvent    WaitingKind = "event"    // from Stripe
	WaitingFinding  WaitingKind = "finding"  // of a reconciliation
	WaitingRefund   WaitingKind = "refund"   // unanswered by Stripe for an hour, refused, or failed
	WaitingResumes  WaitingKind = "resumes"  // of a deleted account, still at Resume Matcher
)

// Waiting is an item that needs a person.
type Waiting struct {
	Kind       WaitingKind
	ID         string
	Cause      Cause // why it is not booked
	Since      time.Time
	PurchaseID *uuid.UUID // the purchase concerned, or nil
	ObjectID   string     // at Stripe; "user:7" for a balance; the tenant id for resumes
}
