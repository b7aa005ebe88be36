package models

import (
	"time"

	"github.com/google/uuid"
)

// HitKind is the kind of a match of an admin's search by id. Its text is search.kind.<kind>.
type HitKind string

// The kinds.
const (
	HitUser       HitKind = "user"
	HitPurchase   HitKind = "purchase"
	HitEvent      HitKind = "event" // from Stripe
	HitHold       HitKind = "hold"
	HitWithdrawal HitKind = "withdrawal"
	HitRequest    HitKind = "request" // in the audit log
)

// HitKinds lists every kind, in the order of a search's results. A test checks that each has a text.
func HitKinds() []HitKind {
	return []HitKind{HitUser, HitPurchase, HitHold, HitWithdrawal, HitEvent, HitRequest}
}

// Hit is a match of an admin's search by id.
type Hit struct {
	Kind       HitKind
	ID         string
	At         time.Time // when it was made
	User       User      `gorm:"embedded;embeddedPrefix:user_"` // its user; the zero User for none
	PurchaseID *uuid.UUID
	Number     PurchaseNumber // of PurchaseID; 0 without one
	Declarant  string         // of a withdrawal; empty once it is erased
}
