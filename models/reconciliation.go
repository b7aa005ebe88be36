package models

import (
	"time"

	"github.com/google/uuid"
)

// ReconcileStep is what a reconciliation is reading.
type ReconcileStep string

// The steps, in their order.
const (
	ReconcileSessions ReconcileStep = "sessions"
	ReconcileRefunds  ReconcileStep = "refunds"
	ReconcileDisputes ReconcileStep = "disputes"
	ReconcileBalances ReconcileStep = "balances"
)

// ReconcileSteps lists every step, for the test that wants a text for each.
func ReconcileSteps() []ReconcileStep {
	return []ReconcileStep{ReconcileSessions, ReconcileRefunds, ReconcileDisputes, ReconcileBalances}
}

// Reconciliation is one reading of what Stripe has, compared with what we booked.
type Reconciliation struct {
	ID          int64
	Since       time.Time // created at Stripe no earlier than
	Step        ReconcileStep
	Cursor      string // the last object of the step that was compared
	Checked     int64  // objects and users compared
	Holder      *uuid.UUID
	LeasedUntil time.Time
	LastError   string // empty, or why it stopped; it goes on later
	StartedAt   time.Time
	FinishedAt  *time.Time
}

// FindingKind is what a reconciliation found.
type FindingKind string

// The kinds. All but the last are mended already.
const (
	FindingPurchase FindingKind = "purchase" // paid, and not credited
	FindingRefund   FindingKind = "refund"   // refunded and not taken back, or failed and not given back
	FindingDispute  FindingKind = "dispute"  // the same for a dispute
	FindingBalance  FindingKind = "balance"  // a balance that was not the sum of its ledger lines
	FindingReview   FindingKind = "review"   // a person must look
)

// FindingKinds lists every kind, for the test that wants a text for each.
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
	Credits          Credits // moved by mending it; 0 when nothing was
	Note             Cause   // why a person must look
	CreatedAt        time.Time
	ClosedAt         *time.Time // when a person had dealt with it
}

// TableName is the table's name, which is longer than the word.
func (Finding) TableName() string { return "reconciliation_findings" }
