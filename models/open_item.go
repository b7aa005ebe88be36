package models

import (
	"time"

	"github.com/google/uuid"
)

// OpenKind is the kind of an OpenItem. Its text is open_item.<kind>, or open_item.<kind>_due
// for an item with a due date.
type OpenKind string

// The kinds. Open withdrawals are listed with what they entitle to.
const (
	OpenBank       OpenKind = "bank"        // a bank has not paid yet
	OpenReview     OpenKind = "review"      // a payment waits for a decision
	OpenRefundSend OpenKind = "refund_send" // Stripe has not answered a refund request
	OpenRefund     OpenKind = "refund"      // a refund has not reached the buyer
	OpenDispute    OpenKind = "dispute"     // a bank decides
)

// OpenItem is something about a user's purchase that is still in progress.
type OpenItem struct {
	Kind       OpenKind
	PurchaseID uuid.UUID
	Number     PurchaseNumber
	Cents      Cents
	Currency   string
	Since      time.Time
	Due        *time.Time // when it should be finished; nil if unknown
}
