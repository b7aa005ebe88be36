package models

import (
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// WebhookType is the type of an event that endpoints receive.
type WebhookType string

// The types. Each entry of the ledger is an event of one of the first four, so that a receiver that adds up
// deltaCredits has the balance.
const (
	WebhookAdded    WebhookType = "credits.added"
	WebhookSpent    WebhookType = "credits.spent"
	WebhookRemoved  WebhookType = "credits.removed"    // corrected, moved away or lapsed
	WebhookRefunded WebhookType = "credits.refunded"   // refunds and disputes, also those that failed
	WebhookLow      WebhookType = "credits.low"        // a balance fell below the endpoint's threshold
	WebhookReview   WebhookType = "purchase.in_review" // a purchase needs a person

	WebhookTest WebhookType = "webhook.test" // sent by hand
)

// WebhookTypes lists the types that an endpoint may ask for. The constraint webhook_endpoints_events_known has the same
// list.
func WebhookTypes() []WebhookType {
	return []WebhookType{WebhookAdded, WebhookSpent, WebhookRemoved, WebhookRefunded, WebhookLow, WebhookReview}
}

// Key returns the locale key.
func (t WebhookType) Key() string {
	return "admin_webhooks.type." + strings.ReplaceAll(string(t), ".", "_")
}

// AllWebhookEvents lists the types of WebhookTypes.
func AllWebhookEvents() WebhookEvents { return WebhookTypes() }

// DisabledCause says why an endpoint is disabled; empty while it is not.
type DisabledCause string

// The causes.
const (
	DisabledByAdmin DisabledCause = "admin"
	DisabledGone    DisabledCause = "gone" // it answered 410
)

// WebhookEndpoint is a program of the operator that receives events. Its secrets are not fields here.
type WebhookEndpoint struct {
	ID            uuid.UUID
	URL           string
	Events        WebhookEvents
	LowThreshold  Credits // of WebhookLow
	CreatedBy     *int64  // nil for an operator on the command line
	CreatedAt     time.Time
	DisabledAt    *time.Time
	DisabledCause DisabledCause
	RotatingUntil *time.Time `gorm:"->"` // when the last rotated secret stops signing; nil if there is none
	Pending       int64      `gorm:"->"` // deliveries that are not done, as the next
	Failed        int64      `gorm:"->"`
}

// WebhookEvents is a text[] column.
type WebhookEvents []WebhookType

// Has reports whether the list contains a type.
func (w WebhookEvents) Has(t WebhookType) bool { return slices.Contains(w, t) }

// Strings returns the types as texts.
func (w WebhookEvents) Strings() []string {
	texts := make([]string, len(w))
	for i, t := range w {
		texts[i] = string(t)
	}
	return texts
}

// Value writes a PostgreSQL array.
func (w WebhookEvents) Value() (driver.Value, error) { return TextArray(w.Strings()).Value() }

// Scan reads a PostgreSQL array.
func (w *WebhookEvents) Scan(value any) error {
	var texts TextArray
	if err := texts.Scan(value); err != nil {
		return err
	}
	*w = nil
	for _, text := range texts {
		*w = append(*w, WebhookType(text))
	}
	return nil
}

// DeliveryStatus is the state of a delivery.
type DeliveryStatus string

// The statuses.
const (
	DeliveryPending   DeliveryStatus = "pending"   // not tried, or to be tried again
	DeliveryDelivered DeliveryStatus = "delivered" // answered with 2xx
	DeliveryFailed    DeliveryStatus = "failed"    // given up
)

// DeliveryStatuses lists every status. A test checks that each has a text.
func DeliveryStatuses() []DeliveryStatus {
	return []DeliveryStatus{DeliveryPending, DeliveryDelivered, DeliveryFailed}
}

// Key returns the locale key.
func (s DeliveryStatus) Key() string { return "admin_webhooks.delivery." + string(s) }

// DeliveryFailure says why an attempt failed.
type DeliveryFailure string

// The failures.
const (
	DeliveryStatusCode DeliveryFailure = "status"  // another status than 2xx
	DeliveryTimeout    DeliveryFailure = "timeout" // no answer in time
	DeliveryAddress    DeliveryFailure = "address" // the host's address is private, or another that we refuse
	DeliveryDNS        DeliveryFailure = "dns"     // the host has no address
	DeliveryTLS        DeliveryFailure = "tls"     // the certificate or the protocol is wrong
	DeliveryConnection DeliveryFailure = "connection"
	DeliverySecret     DeliveryFailure = "secret" // no SESSION_SECRET opens the endpoint's secret
)

// Key returns the locale key.
func (f DeliveryFailure) Key() string { return "admin_webhooks.failure." + string(f) }

// WebhookDelivery is an event on its way to one endpoint.
type WebhookDelivery struct {
	ID         int64
	MessageID  uuid.UUID // the same in every attempt
	EndpointID uuid.UUID
	Type       WebhookType
	UserID     *int64
	EntryID    *int64
	PurchaseID *uuid.UUID
	Status     DeliveryStatus
	Attempts   int
	DueAt      time.Time // of the next attempt, while pending
	Response   int       // HTTP status of the last attempt; 0 without an answer
	Failure    DeliveryFailure
	CreatedAt  time.Time // when the event was booked
	TriedAt    *time.Time
	URL        string `gorm:"->"` // of its endpoint; only lists read it
}
