package models

import "strings"

// Cause says why something that Stripe told is not booked, as it is stored: a sentence without names or amounts. Pages
// say it in their own language; what is no cause of these, such as a failure of the database, they show as it is.
type Cause string

// The causes.
const (
	CauseWaits            Cause = "waits for the purchase that it belongs to"
	CauseMode             Cause = "the event's mode (test or live) is not our key's"
	CauseAccount          Cause = "an event of a connected account"
	CauseEventUnreadable  Cause = "the stored event cannot be read"
	CauseObjectUnreadable Cause = "the event's object cannot be read"
	CauseObjectNameless   Cause = "the event's object has no id"
	CausePanic            Cause = "a panic while it was booked"
	CauseSessionUnknown   Cause = "no purchase of ours has this session"
	CauseSessionOther     Cause = "another session of this purchase is known"
	CauseSessionNobody    Cause = "a paid session names neither a customer that we know nor an e-mail address"
	CauseSessionMode      Cause = "a session of mode" // and the mode
	CauseSessionUnpaid    Cause = "not begun here and not paid yet; the event that says paid brings all that is needed"
	CauseSessionForeign   Cause = "not a session that was begun here"
	CauseSessionMixed     Cause = "not begun here, and sold something else beside our credits"
	CauseSessionCredits   Cause = "not begun here, and its credits are not what our prices say"
	CausePaymentForeign   Cause = "a payment of another product"
	CauseAmount           Cause = "the session's amount is not what was ordered"
	CausePaymentStatus    Cause = "unknown payment status" // and the status
	CauseRefundStatus     Cause = "unknown refund status"  // and the status
	CauseDisputeStatus    Cause = "unknown dispute status" // and the status
	CauseBookedFailed     Cause = "a payment that was booked is reported as failed"
	CauseDeleted          Cause = "paid after the account was deleted: give the money back"
	CauseRefundOfNothing  Cause = "a refund of no payment"
	CauseReinstated       Cause = "money of a lost dispute came back"
	CauseDisputeCurrency  Cause = "a dispute in another currency than the payment"
	CauseRefundCurrency   Cause = "a refund in another currency than the payment"
	CauseOverpaid         Cause = "more went back than was paid"
	CauseImpossible       Cause = "an amount that cannot be"
	CauseContradicts      Cause = "it contradicts what was told of the same object before"
	CauseSessionMoney     Cause = "a paid session that does not say how it was paid"
	CausePaidTwice        Cause = "a second payment of a purchase that is paid"
	CauseDecidedForeign   Cause = "a person said that it is not ours"
	CauseCustomerForeign  Cause = "a customer of another product"
	CausePriceForeign     Cause = "another product's price"
	CauseLedger           Cause = "the ledger lines contradict each other"
)

// Causes lists every cause, for the test that wants words for each.
func Causes() []Cause {
	return []Cause{CauseWaits, CauseMode, CauseAccount, CauseEventUnreadable, CauseObjectUnreadable, CauseObjectNameless, CausePanic, CauseSessionUnknown,
		CauseSessionOther, CauseSessionNobody, CauseSessionMode, CauseSessionUnpaid, CauseSessionForeign, CauseSessionMixed,
		CauseSessionCredits, CausePaymentForeign, CauseAmount, CausePaymentStatus,
		CauseRefundStatus, CauseDisputeStatus, CauseBookedFailed, CauseDeleted, CauseRefundOfNothing, CauseReinstated, CauseCustomerForeign,
		CausePriceForeign, CauseLedger, CauseDisputeCurrency, CausePaidTwice, CauseDecidedForeign,
		CauseRefundCurrency, CauseOverpaid, CauseImpossible, CauseContradicts, CauseSessionMoney}
}

// Key is where its words are among a language's texts.
func (c Cause) Key() string {
	letters := strings.FieldsFunc(strings.ToLower(string(c)), func(r rune) bool { return r < 'a' || r > 'z' })
	return "cause." + strings.Join(letters, "_")
}

// Of is a cause with the one word of Stripe's that it is about.
func (c Cause) Of(word string) Cause { return c + Cause(" "+word) }

// is reports whether c is the cause, with or without a word.
func (c Cause) is(cause Cause) bool {
	return c == cause || strings.HasPrefix(string(c), string(cause)+" ")
}

// Error is the sentence.
func (c Cause) Error() string { return string(c) }
