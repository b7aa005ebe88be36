package models

import (
	"time"

	"github.com/google/uuid"
)

// ReconcileStep is one pass of a reconciliation.
type ReconcileStep string

// The steps, in their order.
const (
	ReconcileSessions ReconcileStep = "sessions"
	ReconcileRefunds  ReconcileStep = "refunds"
	ReconcileDisputes ReconcileStep = "disputes"
	ReconcileBalances ReconcileStep = "balances"
)

// Reconciliation is one comparison of Stripe with the ledger.
type Reconciliation struct {
	ID          int64
	Since       time.Time // compares Stripe objects created since then
	Step        ReconcileStep
	Cursor      string // the last object that the step compared
	Checked     int64  // objects and users compared
	Holder      *uuid.UUID
	LeasedUntil time.Time
	LastError   Cause // why it stopped, or empty; it resumes later
	StartedAt   time.Time
	FinishedAt  *time.Time
}

// FindingKind is the kind of a difference.
type FindingKind string

// The kinds. The reconciliation has repaired all but the last.
const (
	FindingPurchase FindingKind = "purchase" // paid, and not granted
	FindingRefund   FindingKind = "refund"   // refunded and not taken back, or failed and not given back
	FindingDispute  FindingKind = "dispute"  // the same for a dispute
	FindingBalance  FindingKind = "balance"  // a balance that was not the sum of its entries
	FindingReview   FindingKind = "review"   // needs a person
)

// FindingKinds lists every kind. A test checks that each has a text.
func FindingKinds() []FindingKind {
	return []FindingKind{FindingPurchase, FindingRefund, FindingDispute, FindingBalance, FindingReview}
}

// Finding is one difference that a reconciliation found.
type Finding struct {
	ID               int64
	ReconciliationID int64
	Kind             FindingKind
	ObjectID         string // the session, refund or dispute at Stripe; "user:7" for a balance
	PurchaseID       *uuid.UUID
	UserID           *int64
	Credits          Credits // moved by the repair; 0 for none
	Note             Cause   // why it needs a person
	CreatedAt        time.Time
	ClosedAt         *time.Time // when an admin closed it
}

// TableName is reconciliation_findings.
func (Finding) TableName() string { return "reconciliation_findings" }
