package models

import "time"

// Missing says why a person must decide on a declaration of withdrawal. Its text is withdrawal.missing.<missing>.
type Missing string

// The reasons.
const (
	MissingPurchase Missing = "purchase" // it names no purchase of an account
	MissingWording  Missing = "wording"  // the consumer describes the contract in other words, perhaps a part of it
	MissingPayment  Missing = "payment"  // the purchase is unpaid, or its payment in review
	MissingTime     Missing = "time"     // it came after the period
	MissingUse      Missing = "use"      // an earlier release received it, so what was used is unknown
	MissingResult   Missing = "result"   // work was running, and may have used credits or not
	MissingDispute  Missing = "dispute"  // the bank has the money, or may take it
	MissingRefund   Missing = "refund"   // Stripe refused the refund, or the bank did
	MissingAmount   Missing = "amount"   // nothing is left to refund
)

// AllMissing lists every reason. A test checks that each has a text.
func AllMissing() []Missing {
	return []Missing{MissingPurchase, MissingWording, MissingPayment, MissingTime, MissingUse, MissingResult,
		MissingDispute, MissingRefund, MissingAmount}
}

// Entitlement is what a declaration of withdrawal entitles the consumer to.
type Entitlement struct {
	DueOn   time.Time // the last day to refund
	Missing []Missing // why a person must decide; none in a clean case
	Sending bool      // the refund is on its way

	Full     bool  // no use is paid for, because the buyer did not consent to it
	Cents    Cents // still to refund, in Currency
	Paid     Cents
	Refunded Cents  // refunds on their way included
	Currency string // of the payment

	Granted, Used, Unused Credits // of the purchase
}

// Clean reports whether the refund can be made without a person.
func (e Entitlement) Clean() bool { return len(e.Missing) == 0 && !e.Sending }

// Overdue reports whether the last day to refund has passed and money is still due.
func (e Entitlement) Overdue(now time.Time) bool {
	return now.After(e.DueOn.Add(12*time.Hour)) && !e.Sending && (e.Cents > 0 || e.Currency == "")
}
