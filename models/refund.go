package models

import (
	"time"

	"github.com/google/uuid"
)

// RefundRequestStatus is the state of a refund request.
type RefundRequestStatus string

// The statuses.
const (
	RefundPending RefundRequestStatus = "pending" // Stripe has not answered yet; it is retried
	RefundSent    RefundRequestStatus = "sent"    // Stripe created the refund RefundID
	RefundRefused RefundRequestStatus = "refused" // by Stripe: LastError says why
)

// RefundRequestStatuses lists every status. A test checks that each has a text.
func RefundRequestStatuses() []RefundRequestStatus {
	return []RefundRequestStatus{RefundPending, RefundSent, RefundRefused}
}

// RefundRequest is a refund that an admin or a buyer requested, or that a withdrawal led to.
type RefundRequest struct {
	ID             uuid.UUID
	PurchaseID     uuid.UUID
	IdempotencyKey string // of the form, unique per purchase
	AmountCents    Cents  // in the payment's currency
	ActorID        *int64 // the admin; nil for all others
	Note           string
	Goodwill       bool       // the buyer asked for it
	HoldID         *uuid.UUID // reserves the credits that it will take; nil for none
	Status         RefundRequestStatus
	RefundID       string // Stripe's, once sent
	LastError      Cause  // why it is refused or not sent yet, or empty
	KeyNumber      int    // counts the idempotency keys sent to Stripe; 0 is the first
	NextAttemptAt  time.Time
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// WithdrawalRefundKey begins the idempotency key of a request that a withdrawal led to.
const WithdrawalRefundKey = "withdrawal:"

// RefundOffer is what a buyer gets back for unused credits on request. The zero value is not an offer.
type RefundOffer struct {
	Credits Credits // that the refund takes
	Cents   Cents   // in the payment's currency
}

// RefundStatuses lists Stripe's statuses of a refund, in ascending order.
// Source: https://docs.stripe.com/api/refunds/object#refund_object-status
func RefundStatuses() []string {
	return []string{"pending", "requires_action", "succeeded", "failed", "canceled"}
}

// RefundFailedSQL is the condition of a refund that failed or was canceled, so that the money stayed.
const RefundFailedSQL = `status IN ('failed', 'canceled')`

// DisputeStatuses lists Stripe's statuses of a dispute. They have no order: an inquiry may become a dispute, a lost
// dispute may be won late, and a won one may be lost in arbitration. A prevented one ended before the bank took the
// money, for example because of a refund.
// Source: https://docs.stripe.com/api/disputes/object#dispute_object-status
func DisputeStatuses() []string {
	return []string{"warning_needs_response", "warning_under_review", "warning_closed", "needs_response", "under_review",
		"lost", "won", "prevented"}
}

// StripeRefund is the latest known state of a refund.
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

// Stands reports whether the refund is paid or under way.
func (r StripeRefund) Stands() bool { return r.Status != "failed" && r.Status != "canceled" }

// StripeDispute is the latest known state of a dispute.
type StripeDispute struct {
	DisputeID         string `gorm:"primaryKey"`
	ChargeID          string
	PaymentRef        string
	Amount            Cents
	Currency          string // of Amount; usually the payment's
	Status            string
	Withdrawn         Cents // taken by the bank, less what it gave back
	WithdrawnCurrency string
	Share             *Cents // an admin's decision on what it takes, in the payment's currency; nil for none
	ToldAt            int64  // Unix time of the latest event; 0 if it was only fetched
	Revision          int    // grows with each change
	UpdatedAt         time.Time
}

// MayTake reports whether the dispute has the money, or may take it.
func (d StripeDispute) MayTake() bool {
	return d.Status != "won" && d.Status != "warning_closed" && d.Status != "prevented"
}

// Open reports whether the bank has not decided the dispute.
func (d StripeDispute) Open() bool { return d.MayTake() && d.Status != "lost" }

const (
	// DisputeOpenSQL is the condition of a dispute that the bank has not decided.
	DisputeOpenSQL = `status NOT IN ('won', 'warning_closed', 'prevented', 'lost')`
	// DisputeTookSQL is the condition of a dispute that took the money.
	DisputeTookSQL = `status IN ('needs_response', 'under_review', 'lost')`
)

// DisputeTakes is SQL for the part of the payment that a dispute d takes: an admin's decision, else its amount if that
// is in the payment's currency, else what the bank withdrew if that is, else NULL for unknown. %s stands for the
// payment's currency. Units: cents of it.
const DisputeTakes = `coalesce(d.share, CASE WHEN d.currency = %[1]s OR d.currency = '' THEN d.amount
	WHEN d.withdrawn > 0 AND d.withdrawn_currency = %[1]s THEN d.withdrawn END)`
