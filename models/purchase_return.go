package models

// ReturnKind is the state of the purchase that a buyer returns from.
type ReturnKind string

// The kinds.
const (
	ReturnProcessing ReturnKind = "processing" // paid, not booked yet
	ReturnBooked     ReturnKind = "booked"
	ReturnCanceled   ReturnKind = "canceled" // the buyer came back without paying
	ReturnWaiting    ReturnKind = "waiting"  // for the bank, or for Stripe when it is slow
	ReturnFailed     ReturnKind = "failed"
	ReturnElsewhere  ReturnKind = "elsewhere" // the purchase belongs to another account
)

// Return describes the purchase that a buyer returns from, for the billing page.
type Return struct {
	Kind     ReturnKind
	Purchase Purchase // empty when canceled or unknown
	Onward   string   // ReturnURL of the purchase; empty without one
	PayURL   string   // where a canceled purchase can still be paid; empty when it cannot
}
