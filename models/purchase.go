package models

import (
	"time"

	"github.com/google/uuid"
)

// Price is the price and content of a package, copied from Stripe.
type Price struct {
	StripePriceID  string `gorm:"primaryKey"`
	CreditsPerUnit Credits
	PriceInCents   Cents
	Currency       string // ISO 4217, lower case as Stripe writes it
	Active         bool
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Total returns the price of quantity packages.
func (p Price) Total(quantity int64) Cents { return p.PriceInCents * Cents(quantity) }

// Of returns what some of the price's credits cost. It is rounded up, so that no page names less than a buyer pays.
//
// Units: the currency's smallest.
func (p Price) Of(credits Credits) Cents {
	unit := Cents(p.CreditsPerUnit)
	return (p.PriceInCents*Cents(credits) + unit - 1) / unit
}

// PurchaseStatus is the state of a purchase. Refunds do not change it: they count in credits.
type PurchaseStatus string

// The statuses.
const (
	PurchasePending         PurchaseStatus = "pending"          // Checkout is open
	PurchaseAwaitingPayment PurchaseStatus = "awaiting_payment" // Checkout is complete, the bank transfer is not
	PurchasePaid            PurchaseStatus = "paid"
	PurchaseFailed          PurchaseStatus = "failed"
	PurchaseExpired         PurchaseStatus = "expired"
	PurchaseReview          PurchaseStatus = "review"   // paid, and needs a person: Cause says why
	PurchaseReturned        PurchaseStatus = "returned" // never booked, and refunded in full
	PurchaseForeign         PurchaseStatus = "foreign"  // an admin decided that the payment is not this product's
)

// PurchaseStatuses lists every status. A test checks that each has a text.
func PurchaseStatuses() []PurchaseStatus {
	return []PurchaseStatus{PurchasePending, PurchaseAwaitingPayment, PurchasePaid, PurchaseFailed, PurchaseExpired,
		PurchaseReview,
		PurchaseReturned, PurchaseForeign}
}

// Unbooked reports whether a purchase was paid and granted no credits: it needs a person, or an admin decided so.
func (s PurchaseStatus) Unbooked() bool {
	return s == PurchaseReview || s == PurchaseReturned || s == PurchaseForeign
}

// Purchase is one attempt to buy one package.
type Purchase struct {
	ID             uuid.UUID
	Number         PurchaseNumber
	UserID         int64
	StripePriceID  string
	Quantity       int64
	Credits        Credits // per unit × quantity; 0 while the order is unknown
	AmountCents    Cents   // total, as ordered
	Currency       string
	Locale         string
	IdempotencyKey string   // of the form or API call, unique per user
	Consent        *Consent // made with the order; nil when the buyer declared nothing
	HoldsCredits   bool     // until the withdrawal period ends, unless the buyer makes both statements
	LaterConsent   *Consent // both statements, made after the order to use held credits; nil without

	Status            PurchaseStatus
	Cause             Cause  // why it is or was in review, or empty
	CheckoutSessionID string // empty until Stripe has created it
	RecoveredFrom     string // our expired session, if the buyer paid Stripe's recovered copy of it
	CheckoutURL       string
	PaymentIntentID   string // empty until paid, and if the total was 0
	PaidCents         Cents  // in the payment's currency
	PaidCurrency      string // empty until paid
	PaidAt            *time.Time

	ReturnURL   string // where the buyer goes on after the payment; empty if no program asked
	Traceparent string // of the request that ordered it, in W3C's form; empty without tracing

	CreditsGranted  Credits
	CreditsRefunded Credits // of the granted, taken back for refunds
	CreditsDisputed Credits // of the granted, taken back for disputes
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// OrderKnown reports whether the purchase was ordered in this product, so that its credits are known.
func (p Purchase) OrderKnown() bool { return p.StripePriceID != "" }

// LatestConsent returns what the buyer declared last about the withdrawal period; nil for nothing.
func (p Purchase) LatestConsent() *Consent {
	if p.LaterConsent != nil {
		return p.LaterConsent
	}
	return p.Consent
}

// AwaitsConsent reports whether the credits are held until the withdrawal period ends, because the buyer has not made
// both statements.
func (p Purchase) AwaitsConsent() bool { return p.HoldsCredits && !p.LatestConsent().Complete() }

// PaymentCurrency returns the currency of PaidCents and of every refund: the buyer's own if Stripe converted the price,
// else the currency of the order.
func (p Purchase) PaymentCurrency() string {
	if p.PaidCurrency != "" {
		return p.PaidCurrency
	}
	return p.Currency
}

// CreditsReturned returns how many of the granted credits refunds and disputes took back.
func (p Purchase) CreditsReturned() Credits { return p.CreditsRefunded + p.CreditsDisputed }

// CreditsLeft returns how many of the granted credits refunds and disputes left, whether used or not.
func (p Purchase) CreditsLeft() Credits { return p.CreditsGranted - p.CreditsReturned() }

// AllReturned reports whether refunds and disputes took back all granted credits.
func (p Purchase) AllReturned() bool { return p.CreditsGranted > 0 && p.CreditsLeft() <= 0 }

// StripeEventStatus is the state of a stored event.
type StripeEventStatus string

// The statuses.
const (
	EventReceived StripeEventStatus = "received" // stored, not processed yet
	EventDone     StripeEventStatus = "done"
	EventIgnored  StripeEventStatus = "ignored"  // not about this product
	EventDeferred StripeEventStatus = "deferred" // waits for an earlier event
	EventFailed   StripeEventStatus = "failed"   // retried by the worker
	EventReview   StripeEventStatus = "review"   // needs a person
)

// StripeEventStatuses lists every status, the most urgent first.
func StripeEventStatuses() []StripeEventStatus {
	return []StripeEventStatus{EventReview, EventFailed, EventDeferred, EventReceived, EventDone, EventIgnored}
}

// StripeEvent is a signed event as received.
type StripeEvent struct {
	EventID         string `gorm:"primaryKey"`
	Type            string
	APIVersion      string
	Livemode        bool
	ObjectID        string
	PaymentRef      string // payment intent, else charge, else Checkout Session
	Payload         []byte
	Status          StripeEventStatus
	Attempts        int
	NextAttemptAt   time.Time
	LastError       Cause
	Decided         DecisionKind // an admin's decision, or empty
	CreatedAtStripe int64        // seconds since 1970
	ReceivedAt      time.Time
	ProcessedAt     *time.Time
}
