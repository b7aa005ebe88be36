package models

import "time"

// LedgerTotals is what the ledger comes to, all users together, at one moment. Purchased + Returned + Manual − Used =
// Outstanding. Units: credits.
type LedgerTotals struct {
	Purchased   Credits // by purchases
	Returned    Credits // refunds and disputes: negative when taken back
	Manual      Credits // grants less corrections
	Used        Credits // by features, positive
	Outstanding Credits // all balances together; what is owed counts against it
	Held        Credits // of these, in open holds
}

// LedgerDay is what the ledger did on one day, from midnight to midnight UTC. Units: credits, as in LedgerTotals.
type LedgerDay struct {
	Day                               time.Time
	Purchased, Returned, Manual, Used Credits
}

// Revenue is the money of all paid purchases in one currency. Units: cents.
type Revenue struct {
	Currency string
	Paid     Cents
	Refunded Cents // refunds that stand
	Disputed Cents // taken by disputes that are open or lost; nothing twice
}

// Net is what is left.
func (r Revenue) Net() Cents { return r.Paid - r.Refunded - r.Disputed }

// Overview is how the business stands, all of it at one moment.
type Overview struct {
	Totals   LedgerTotals
	Revenue  []Revenue
	Users    int64
	Waiting  int64      // events of Stripe's that are not booked yet and are tried again
	Review   int64      // events of Stripe's that a person must look at
	LastHook *time.Time // when Stripe last wrote; nil before the first event
	Monthly  bool       // the slots are months, else days
	Slots    []OverviewSlot
}

// OverviewSlot is one day or month of the overview's picture. Units: credits.
type OverviewSlot struct {
	Begins      time.Time
	Sold        Credits // by purchases
	Used        Credits // by features
	Returned    Credits // taken back for refunds and disputes, less what came back again
	Outstanding Credits // of all users, when the slot ended
}

// ListedUser is a user in a list. Claimed is an address that they signed in with and that is not theirs by proof.
type ListedUser struct {
	User    `gorm:"embedded"`
	Claimed string
	Bought  *time.Time // when they last bought something that was paid; nil for never
	Key     int64      // what the list is sorted by
}
