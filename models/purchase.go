package models

import (
	"time"

	"github.com/google/uuid"
)

// Price is what a package costs and holds, mirrored from Stripe.
type Price struct {
	StripePriceID  string `gorm:"primaryKey"`
	CreditsPerUnit Credits
	PriceInCents   Cents
	Currency       string // ISO 4217, lower case as Stripe writes it
	Active         bool
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Total is what quantity packages cost.
func (p Price) Total(quantity int64) Cents { return p.PriceInCents * Cents(quantity) }

// PurchaseStatus is how far a purchase has come. Refunds do not change it: they are counted in credits.
type PurchaseStatus string

// The statuses.
const (
	PurchasePending         PurchaseStatus = "pending"          // Checkout may still be paid
	PurchaseAwaitingPayment PurchaseStatus = "awaiting_payment" // Checkout is done, the bank is not
	PurchasePaid            PurchaseStatus = "paid"
	PurchaseFailed          PurchaseStatus = "failed"
	PurchaseExpired         PurchaseStatus = "expired"
	PurchaseReview          PurchaseStatus = "review"   // paid, and a person must decide: Cause says why
	PurchaseReturned        PurchaseStatus = "returned" // nothing was booked, and all of the money went back
	PurchaseForeign         PurchaseStatus = "foreign"  // a person said that the payment is not ours
)

// PurchaseStatuses lists every status, for the test that wants a text for each.
func PurchaseStatuses() []PurchaseStatus {
	return []PurchaseStatus{PurchasePending, PurchaseAwaitingPayment, PurchasePaid, PurchaseFailed, PurchaseExpired, PurchaseReview,
		PurchaseReturned, PurchaseForeign}
}

// Unbooked reports whether a purchase was paid and has moved no credits: a person must decide, or has decided that it
// moves none.
func (s PurchaseStatus) Unbooked() bool {
	return s == PurchaseReview || s == PurchaseReturned || s == PurchaseForeign
}

// Purchase is one attempt to buy one package.
type Purchase struct {
	ID             uuid.UUID
	UserID         int64
	StripePriceID  string
	Quantity       int64
	Credits        Credits // in total: per unit × quantity; 0 while nobody knows what was ordered
	AmountCents    Cents   // in total, as ordered
	Currency       string
	Locale         string
	IdempotencyKey string // of the form or call that began it, unique for its user

	Status            PurchaseStatus
	Cause             Cause  // why it is, or was, in review; empty when it never was
	CheckoutSessionID string // empty until Stripe answered
	RecoveredFrom     string // the session of ours that expired, where the buyer paid Stripe's copy of it
	CheckoutURL       string
	PaymentIntentID   string // empty until paid, and for ever when nothing had to be paid
	PaidCents         Cents  // in the payment's currency
	PaidCurrency      string // empty until paid
	PaidAt            *time.Time

	CreditsGranted  Credits
	CreditsRefunded Credits // of those granted, taken back for refunds
	CreditsDisputed Credits // of those granted, taken back for disputes
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// OrderKnown reports whether a purchase was ordered here, so that its credits are certain.
func (p Purchase) OrderKnown() bool { return p.StripePriceID != "" }

// PaymentCurrency is what PaidCents and every refund are counted in: the buyer's own currency where Stripe converted the
// price for them, else the one in which it was ordered.
func (p Purchase) PaymentCurrency() string {
	if p.PaidCurrency != "" {
		return p.PaidCurrency
	}
	return p.Currency
}

// StripeEventStatus is what has become of a stored event.
type StripeEventStatus string

// The statuses.
const (
	EventReceived StripeEventStatus = "received" // stored, not yet tried
	EventDone     StripeEventStatus = "done"
	EventIgnored  StripeEventStatus = "ignored"  // nothing of ours
	EventDeferred StripeEventStatus = "deferred" // waits for an event that has not come yet
	EventFailed   StripeEventStatus = "failed"   // could not be booked, is tried again
	EventReview   StripeEventStatus = "review"   // a person must look
)

// StripeEventStatuses lists every status, those that need somebody first.
func StripeEventStatuses() []StripeEventStatus {
	return []StripeEventStatus{EventReview, EventFailed, EventDeferred, EventReceived, EventDone, EventIgnored}
}

// StripeEvent is one signed event as it arrived.
type StripeEvent struct {
	EventID         string `gorm:"primaryKey"`
	Type            string
	APIVersion      string
	Livemode        bool
	ObjectID        string
	PaymentRef      string // payment intent, else charge, else Checkout session
	Payload         []byte
	Status          StripeEventStatus
	Attempts        int
	NextAttemptAt   time.Time
	LastError       Cause
	Decided         WayOut // what a person decided about it; empty when nobody had to
	CreatedAtStripe int64  // seconds since 1970
	ReceivedAt      time.Time
	ProcessedAt     *time.Time
}
