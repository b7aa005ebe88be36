package models

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// RefundRequestStatus is how far a refund that an admin decided on has come.
type RefundRequestStatus string

// The statuses.
const (
	RefundPending RefundRequestStatus = "pending" // Stripe has not answered yet; it is sent again
	RefundSent    RefundRequestStatus = "sent"    // Stripe made the refund RefundID
	RefundRefused RefundRequestStatus = "refused" // Stripe did not: LastError says why
)

// RefundRequestStatuses lists every status, for the test that wants a text for each.
func RefundRequestStatuses() []RefundRequestStatus {
	return []RefundRequestStatus{RefundPending, RefundSent, RefundRefused}
}

// RefundRequest is a refund that an admin decided on.
type RefundRequest struct {
	ID             uuid.UUID
	PurchaseID     uuid.UUID
	IdempotencyKey string // of the form, unique for the purchase
	AmountCents    Cents  // in the payment's currency
	ActorID        *int64 // nil for an operator on the command line
	Note           string
	Status         RefundRequestStatus
	RefundID       string // Stripe's, once sent
	LastError      string // no names, nothing of the request
	KeyNumber      int    // of the idempotency key that Stripe gets with it; 0 is the first
	NextAttemptAt  time.Time
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// StripeCode is the code with which Stripe refused the refund, such as charge_already_refunded; empty when it gave none.
func (r RefundRequest) StripeCode() string {
	_, rest, _ := strings.Cut(r.LastError, "code ")
	code, _, _ := strings.Cut(rest, ",")
	return code
}

// RefundStatuses lists the statuses that a refund has at Stripe, in the order in which they rise.
// Source: https://docs.stripe.com/api/refunds/object#refund_object-status
func RefundStatuses() []string {
	return []string{"pending", "requires_action", "succeeded", "failed", "canceled"}
}

// DisputeStatuses lists the statuses that a dispute has at Stripe. An inquiry may become a dispute, a lost one may be won
// late, and a won one lost in arbitration: no order of them tells which is the last.
// Source: https://docs.stripe.com/api/disputes/object#dispute_object-status
func DisputeStatuses() []string {
	return []string{"warning_needs_response", "warning_under_review", "warning_closed", "needs_response", "under_review", "lost", "won"}
}

// StripeRefund is a refund as Stripe last told of it.
type StripeRefund struct {
	RefundID      string `gorm:"primaryKey"`
	ChargeID      string
	PaymentRef    string
	Amount        Cents
	Currency      string
	Status        string // pending, requires_action, succeeded, failed or canceled
	FailureReason string
	UpdatedAt     time.Time
}

// Stands reports whether the money went back, or is on its way.
func (r StripeRefund) Stands() bool { return r.Status != "failed" && r.Status != "canceled" }

// StripeDispute is a dispute as Stripe last told of it.
type StripeDispute struct {
	DisputeID         string `gorm:"primaryKey"`
	ChargeID          string
	PaymentRef        string
	Amount            Cents
	Currency          string // of Amount: the payment's, as a rule
	Status            string
	Withdrawn         Cents // what the bank took, less what it gave back; 0 before it took anything
	WithdrawnCurrency string
	Share             *Cents // what a person says it takes of the payment, in the payment's currency; nil where nobody had to
	ToldAt            int64  // when Stripe last told of it, in seconds since 1970; 0 when we only asked
	Revision          int    // grows with each change
	UpdatedAt         time.Time
}

// DisputeTakes is SQL for how much a dispute d takes of the payment: what a person said; else its amount, where that is
// in the payment's currency; else what the bank withdrew, where that is; else NULL, for nobody knows. %s stands for the
// payment's currency. Units: cents of it.
const DisputeTakes = `coalesce(d.share, CASE WHEN d.currency = %[1]s OR d.currency = '' THEN d.amount
	WHEN d.withdrawn > 0 AND d.withdrawn_currency = %[1]s THEN d.withdrawn END)`
