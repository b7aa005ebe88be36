package models

import "strings"

// LetterKind says what a letter is about. Its texts are letter.<kind>, and its name is letter_kind.<kind>.
type LetterKind string

// The kinds.
const (
	LetterWithdrawalReceived LetterKind = "withdrawal_received"
	LetterWithdrawalRefunded LetterKind = "withdrawal_refunded"

	LetterPurchasePaid    LetterKind = "purchase_paid"  // confirms the order, too
	LetterCreditsUsable   LetterKind = "credits_usable" // confirms statements that were made after the order
	LetterDebitPending    LetterKind = "debit_pending"  // confirms the order; the bank pays within days
	LetterDebitFailed     LetterKind = "debit_failed"
	LetterRefunded        LetterKind = "refunded"
	LetterRefundFailed    LetterKind = "refund_failed" // its credits came back
	LetterDisputed        LetterKind = "disputed"
	LetterDisputeReturned LetterKind = "dispute_returned"

	// Letters to the operator; triggers of their tables store them.
	LetterOperatorPurchase   LetterKind = "operator_purchase"   // in review
	LetterOperatorEvent      LetterKind = "operator_event"      // in review
	LetterOperatorDispute    LetterKind = "operator_dispute"    // opened
	LetterOperatorWithdrawal LetterKind = "operator_withdrawal" // declared
	LetterOperatorFindings   LetterKind = "operator_findings"   // of a reconciliation
	LetterOperatorSilence    LetterKind = "operator_silence"    // Stripe's events do not come; not by a trigger
	LetterOperatorDigest     LetterKind = "operator_digest"     // of a day; not by a trigger

	LetterIdentityLinked   LetterKind = "identity_linked"
	LetterIdentityUnlinked LetterKind = "identity_unlinked"
	LetterSignedIn         LetterKind = "signed_in" // on a device that the user had no session on
	LetterAccountDeleted   LetterKind = "account_deleted"

	LetterLowBalance LetterKind = "low_balance" // stored by a trigger of the ledger
)

// LetterKinds lists every kind. Tests check that each has a composer and a name.
func LetterKinds() []LetterKind {
	return []LetterKind{LetterPurchasePaid, LetterCreditsUsable, LetterDebitPending, LetterDebitFailed,
		LetterRefunded, LetterRefundFailed, LetterDisputed, LetterDisputeReturned, LetterWithdrawalReceived,
		LetterWithdrawalRefunded, LetterIdentityLinked, LetterIdentityUnlinked,
		LetterSignedIn, LetterAccountDeleted, LetterLowBalance,
		LetterOperatorPurchase, LetterOperatorEvent, LetterOperatorDispute, LetterOperatorWithdrawal,
		LetterOperatorFindings, LetterOperatorSilence, LetterOperatorDigest}
}

// Optional reports whether users can switch the kind off. The constraint letter_refusals_kind_optional lists the same.
func (k LetterKind) Optional() bool { return k == LetterLowBalance }

// ToOperator reports whether letters of the kind go to the operator.
func (k LetterKind) ToOperator() bool { return strings.HasPrefix(string(k), "operator_") }

// NameKey returns the locale key of the kind's name.
func (k LetterKind) NameKey() string { return "letter_kind." + string(k) }
