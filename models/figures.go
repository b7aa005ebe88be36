package models

import "time"

// Figures are what monitoring watches: counts of the whole database at one moment.
type Figures struct {
	Totals     LedgerTotals
	Events     []EventFigure // one for each status that an event has
	Holds      []HoldFigure  // one for each status that a hold has
	Waiting    []WaitingFigure
	Findings   []FindingFigure
	Deliveries []DeliveryFigure // one for each status that a webhook delivery has
	Letters    []LetterFigure   // one for each status that a letter has
	Reconciled *time.Time       // end of the last reconciliation; nil before the first
}

// EventFigure counts the Stripe events of one status.
type EventFigure struct {
	Status StripeEventStatus
	Count  int64
	Age    float64 // of the oldest, in seconds since it arrived
}

// HoldFigure counts the holds of one status.
type HoldFigure struct {
	Status  HoldStatus
	Count   int64
	Overdue int64 // of the open ones, those that should have expired more than a minute ago
}

// DeliveryFigure counts the webhook deliveries of one status.
type DeliveryFigure struct {
	Status DeliveryStatus
	Count  int64
	Age    float64 // of the oldest that waits for an enabled endpoint, in seconds; 0 for the other statuses
}

// LetterFigure counts the letters of one status.
type LetterFigure struct {
	Status LetterStatus
	Count  int64
	Age    float64 // of the oldest, in seconds
}

// WaitingFigure counts the items of one kind and cause that need a person.
type WaitingFigure struct {
	Kind  WaitingKind
	Cause Cause // without its argument
	Count int64
}

// FindingFigure counts the findings of one kind, of all reconciliations.
type FindingFigure struct {
	Kind  FindingKind
	Count int64
}
