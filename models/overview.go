package models

import "time"

// LedgerTotals are the totals of all users at one moment. Purchased + Returned + Manual − Used = Outstanding.
// Units: credits.
type LedgerTotals struct {
	Purchased   Credits // by purchases
	Returned    Credits // refunds and disputes: negative when taken back
	Manual      Credits // grants less corrections
	Used        Credits // by features, positive
	Outstanding Credits // sum of all balances; debts count as negative
	Held        Credits // of Outstanding, in open holds
}

// LedgerDay sums up the entries of one UTC day. Units: credits, as in LedgerTotals.
type LedgerDay struct {
	Day                               time.Time
	Purchased, Returned, Manual, Used Credits
}

// Revenue is the money of all paid purchases in one currency. Units: cents.
type Revenue struct {
	Currency string
	Paid     Cents
	Refunded Cents // refunds that stand
	Disputed Cents // taken by open and lost disputes, without what was refunded
}

// Net returns the revenue after refunds and disputes.
func (r Revenue) Net() Cents { return r.Paid - r.Refunded - r.Disputed }

// Overview sums up the business at one moment.
type Overview struct {
	Totals   LedgerTotals
	Revenue  []Revenue
	Users    int64
	Waiting  int64      // Stripe events that the worker retries
	Review   int64      // Stripe events that need a person
	LastHook *time.Time // receipt of the latest Stripe event; nil before the first
	Monthly  bool       // slots are months instead of days
	Slots    []OverviewSlot
	Packages []PackageRevenue
}

// PackageRevenue is what was paid for one package in one currency, by slot, before refunds.
type PackageRevenue struct {
	Credits  Credits // of one unit
	Currency string
	Paid     []Cents
}

// OverviewSlot is one day or month of the overview's chart. Units: credits.
type OverviewSlot struct {
	Begins      time.Time
	Sold        Credits // by purchases
	Used        Credits // by features
	Returned    Credits // net effect of refunds and disputes
	Outstanding Credits // of all users, at the end of the slot
	Released    int64   // holds given back, because the feature failed or was not used
	Expired     int64   // holds that expired before their caller captured or released them
}

// ListedUser is a row of the user list. Claimed is an unverified address that the user signed in with.
type ListedUser struct {
	User    `gorm:"embedded"`
	Claimed string
	Bought  *time.Time // time of the last paid purchase; nil for none
	Key     int64      // sort key of the list
}
