package models

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// Cause is the stored reason why something is unfinished, ignored or waits for a person: an event, a purchase, a
// finding, a refund request or a reconciliation. It is a code or, with an argument, the code, a space and the argument.
// Its text is cause.<code>.
type Cause string

// The causes.
const (
	CauseWaits            Cause = "awaits_purchase"
	CauseMode             Cause = "other_mode"
	CauseAccount          Cause = "connected_account"
	CauseEventUnreadable  Cause = "event_unreadable"
	CauseObjectUnreadable Cause = "object_unreadable"
	CauseObjectNameless   Cause = "object_without_id"
	CausePanic            Cause = "panic"
	CauseSessionUnknown   Cause = "session_unknown"
	CauseSessionOther     Cause = "session_other"
	CauseSessionNoBuyer   Cause = "session_without_buyer"
	CauseSessionMode      Cause = "session_mode" // argument: the mode
	CauseSessionUnpaid    Cause = "session_unpaid"
	CauseSessionForeign   Cause = "session_foreign"
	CauseSessionMixed     Cause = "session_mixed"
	CauseSessionCredits   Cause = "session_credits"
	CausePaymentForeign   Cause = "payment_foreign"
	CauseAmount           Cause = "amount_differs"
	CausePaymentStatus    Cause = "payment_status" // argument: the status
	CauseRefundStatus     Cause = "refund_status"  // argument: the status
	CauseDisputeStatus    Cause = "dispute_status" // argument: the status
	CauseBookedFailed     Cause = "paid_then_failed"
	CauseDeleted          Cause = "account_deleted"
	CauseRefundOfNothing  Cause = "refund_without_payment"
	CauseReinstated       Cause = "dispute_reinstated"
	CauseDisputeCurrency  Cause = "dispute_currency"
	CauseRefundCurrency   Cause = "refund_currency"
	CauseOverpaid         Cause = "refunds_exceed_payment"
	CauseImpossible       Cause = "amount_impossible"
	CauseContradicts      Cause = "contradicts_earlier"
	CauseSessionMoney     Cause = "session_money"
	CausePaidTwice        Cause = "paid_twice"
	CauseDecidedForeign   Cause = "decided_foreign"
	CauseCustomerForeign  Cause = "customer_foreign"
	CausePriceForeign     Cause = "price_foreign"
	CauseLedger           Cause = "ledger_differs"
	CauseAway             Cause = "unavailable"          // the database did not answer in time; retried
	CauseFailed           Cause = "failed"               // argument: the error, not translated
	CauseRefused          Cause = "stripe_refused"       // argument: Stripe's code, or else its type of error
	CauseStripe           Cause = "stripe_failed"        // argument: the HTTP status
	CauseNoAnswer         Cause = "no_answer"            // of Stripe
	CauseKeySpent         Cause = "key_spent"            // Stripe repeats a stored failure, and there is no refund
	CauseDatabase         Cause = "database_unavailable" // as CauseAway, of a reconciliation
	CauseInterrupted      Cause = "interrupted"          // the server stopped
	CauseUnknown          Cause = "unknown"              // as CauseFailed, of a refund or reconciliation
	CauseRefundFailed     Cause = "refund_failed"        // the bank did not take it
	CauseResumesDue       Cause = "resumes_due"          // not asked for yet
	CauseResumesAway      Cause = "resumes_away"         // Resume Matcher or its add-on is
	CauseResumesInUse     Cause = "resumes_in_use"       // a request of their user is running
	CauseResumesKept      Cause = "resumes_kept"         // argument: the HTTP status of Resume Matcher
	CauseMailUnset        Cause = "mail_unset"           // no mail server is configured
	CauseMailAway         Cause = "mail_away"            // the mail server did not answer
	CauseMailRefused      Cause = "mail_refused"         // argument: the mail server's code
	CauseMailAddress      Cause = "mail_address"         // argument: its code, or nothing if no server takes the address
	CauseMailLimit        Cause = "mail_limit"           // too many of the kind to the operator in an hour
	CauseMailWrite        Cause = "mail_unwritten"       // the letter cannot be composed
)

// Causes lists every cause. Tests check that it is complete and that each has a text.
func Causes() []Cause { return slices.Sorted(maps.Keys(decisions)) }

// CauseOf returns the cause in an error's chain, or else CauseFailed.
func CauseOf(err error) Cause {
	if cause, ok := errors.AsType[Cause](err); ok {
		return cause
	}
	return CauseFailed.Of(err.Error())
}

// Of returns the cause with an argument, such as a status from Stripe.
func (c Cause) Of(argument string) Cause { return c + Cause(" "+argument) }

// Split returns the code and the argument, which may be empty.
func (c Cause) Split() (code Cause, argument string) {
	text, argument, _ := strings.Cut(string(c), " ")
	return Cause(text), argument
}

// Key returns the locale key.
func (c Cause) Key() string {
	code, _ := c.Split()
	return "cause." + string(code)
}

// Error returns the code and its argument.
func (c Cause) Error() string { return string(c) }
