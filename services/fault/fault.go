// Package fault holds the one error type that crosses package borders: what went wrong, in words that
// a user can be told. Everything else is an ordinary wrapped error and means "internal".
package fault

import (
	"errors"
	"fmt"
)

// Code says what kind of refusal an error is. It is also its locale key: errors.<code>.
type Code string

// The codes. handlers/errors.go gives each its HTTP status and its name in the API.
const (
	Malformed           Code = "malformed" // the request cannot be read at all
	Invalid             Code = "invalid"   // it can be read, and a value in it is wrong
	SignatureInvalid    Code = "signature_invalid"
	Unauthenticated     Code = "unauthenticated"
	Forbidden           Code = "forbidden"
	NotFound            Code = "not_found"
	MethodNotAllowed    Code = "method_not_allowed"
	Conflict            Code = "conflict"
	HoldClosed          Code = "hold_closed" // a hold that has ended some other way
	InsufficientCredits Code = "insufficient_credits"
	PayloadTooLarge     Code = "payload_too_large"
	RateLimited         Code = "rate_limited"
	Misdirected         Code = "misdirected" // meant for another host
	Internal            Code = "internal"
	Unavailable         Code = "unavailable"
)

// Codes lists every code, for the tests that want a status and a text for each.
func Codes() []Code {
	return []Code{Malformed, Invalid, SignatureInvalid, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict, HoldClosed,
		InsufficientCredits, PayloadTooLarge, RateLimited, Misdirected, Internal, Unavailable}
}

// Problem names one wrong value of an invalid input. It is also a locale key: errors.problem.<problem>.
type Problem string

// The problems.
const (
	PriceUnknown        Problem = "price_unknown"
	QuantityRange       Problem = "quantity_range"
	LocaleUnknown       Problem = "locale_unknown"
	FeatureUnknown      Problem = "feature_unknown"
	KeyLength           Problem = "idempotency_key_length"
	MetadataTooLarge    Problem = "metadata_too_large"
	CreditsRange        Problem = "credits_range"
	NoteMissing         Problem = "note_missing"
	NoteTooLong         Problem = "note_too_long"
	BelowZero           Problem = "below_zero"
	CursorInvalid       Problem = "cursor_invalid"
	LimitRange          Problem = "limit_range"
	KindUnknown         Problem = "kind_unknown"
	MonthInvalid        Problem = "month_invalid"
	SearchInvalid       Problem = "search_invalid"
	SignInFailed        Problem = "sign_in_failed"
	SignInExpired       Problem = "sign_in_expired"
	KeyMissing          Problem = "idempotency_key_missing"
	RequestUnderstood   Problem = "body_not_understood"
	ContentTypeNotJSON  Problem = "content_type_not_json"
	TokenMissing        Problem = "csrf_token"
	CrossSite           Problem = "cross_site"
	KeyUsedOtherwise    Problem = "idempotency_key_used_otherwise"
	CorrectionDirection Problem = "correction_direction"
	NothingPaid         Problem = "nothing_paid"
	MoveUnpaid          Problem = "move_unpaid"
	MoveTarget          Problem = "move_target"
	MoveSame            Problem = "move_same"
	MoveLapsed          Problem = "move_lapsed"
	MovedSince          Problem = "moved_since"
	RefundedSince       Problem = "refunded_since"
	RefundRange         Problem = "refund_range"
	AmountUnreadable    Problem = "amount_unreadable"
	CaptureRange        Problem = "capture_range"
	TTLRange            Problem = "ttl_range"
	EmailInvalid        Problem = "email_invalid"
	StillRunning        Problem = "still_running" // the first request with this idempotency key has no answer yet
	CallerUnknown       Problem = "caller_unknown"
	KeyNeeded           Problem = "service_key_needed"
	SessionNeeded       Problem = "session_needed"
	ScopeMissing        Problem = "scope_missing"
	KeyRequired         Problem = "idempotency_key_required"
	FieldUnknown        Problem = "field_unknown"
	FieldTwice          Problem = "field_twice"
	FieldMissing        Problem = "field_missing"
	ValueUnfit          Problem = "value_unfit"
	TooDeep             Problem = "too_deep"
	UserNotNamed        Problem = "user_not_named"
	UserNamed           Problem = "user_named"
	KeyNameLength       Problem = "key_name_length"
	ScopesUnknown       Problem = "scopes_unknown"
	PerMinuteRange      Problem = "per_minute_range"
	KeyDaysRange        Problem = "key_days_range"
	KeyExpired          Problem = "key_expired"
	CheckoutOver        Problem = "checkout_over"
	WithdrawalName      Problem = "withdrawal_name"
	WithdrawalContract  Problem = "withdrawal_contract"
	ReceiptMissing      Problem = "receipt_missing"
	ReceiptAway         Problem = "receipt_away" // Stripe, which has it, does not answer
	FeatureExists       Problem = "feature_exists"
	FeatureName         Problem = "feature_name"
	FeatureCredits      Problem = "feature_credits"
	FeatureLabel        Problem = "feature_label"
	NameUnfit           Problem = "name_unfit"
	LastIdentity        Problem = "last_identity"
	UserSearchLong      Problem = "user_search_long"
	DayInvalid          Problem = "day_invalid"
	DaysReversed        Problem = "days_reversed"
	ChoiceUnknown       Problem = "choice_unknown"
	IdentityTaken       Problem = "identity_taken"
	IdentityOther       Problem = "identity_other"
	IdentityLimit       Problem = "identity_limit"
	AddressTaken        Problem = "address_taken"
	AddressKnown        Problem = "address_known"    // an account that signs in otherwise has this address
	AddressReissued     Problem = "address_reissued" // the same provider has vouched for this address as somebody else's
	NotPresent          Problem = "not_present"      // the provider did not ask the person again
	DeletionConfirm     Problem = "deletion_confirm"
	DeletionDispute     Problem = "deletion_dispute"
	ExportTooLarge      Problem = "export_too_large"
	Busy                Problem = "busy"              // too many requests at once
	OtherAccount        Problem = "other_account"     // a purchase of another user's
	DecidedOtherwise    Problem = "decided_otherwise" // by somebody else, since the page was read
	ShareRange          Problem = "share_range"
)

// Problems lists every problem, for the test that wants a text for each.
func Problems() []Problem {
	return []Problem{PriceUnknown, QuantityRange, LocaleUnknown, FeatureUnknown, KeyLength, MetadataTooLarge, CreditsRange,
		NoteMissing, NoteTooLong, BelowZero, CursorInvalid, LimitRange, KindUnknown, MonthInvalid, SearchInvalid, SignInFailed, SignInExpired, KeyMissing,
		RequestUnderstood, ContentTypeNotJSON, TokenMissing, CrossSite, KeyUsedOtherwise, CorrectionDirection,
		NothingPaid, MoveUnpaid, MoveTarget, MoveSame, MoveLapsed, MovedSince, RefundedSince, RefundRange, AmountUnreadable, CaptureRange, TTLRange, EmailInvalid, StillRunning,
		CallerUnknown, KeyNeeded, SessionNeeded, ScopeMissing, KeyRequired, FieldUnknown, FieldTwice, FieldMissing, ValueUnfit, TooDeep,
		UserNotNamed, UserNamed, KeyNameLength, ScopesUnknown, PerMinuteRange, KeyDaysRange, KeyExpired, CheckoutOver, ReceiptMissing, ReceiptAway, WithdrawalName, WithdrawalContract,
		FeatureExists, FeatureName, FeatureCredits, FeatureLabel,
		NameUnfit, LastIdentity, IdentityTaken, IdentityOther, IdentityLimit, AddressTaken, AddressKnown, AddressReissued, NotPresent, DeletionConfirm, DeletionDispute, ExportTooLarge,
		UserSearchLong, DayInvalid, DaysReversed, ChoiceUnknown, Busy, OtherAccount, DecidedOtherwise, ShareRange}
}

// Error is a refusal that the user can understand.
type Error struct {
	Code    Code
	Field   string         // the input's name in the form or body, when one value is at fault
	Problem Problem        // what is wrong with it; empty when the code says it all
	Detail  map[string]any // facts for the API's error.detail and the text's placeholders
	cause   error          // for the log, never shown
}

// New returns a fault with the facts a caller may be told.
func New(code Code, detail map[string]any) *Error { return &Error{Code: code, Detail: detail} }

// Field returns an Invalid fault about one value of the input.
func Field(name string, problem Problem) *Error {
	return &Error{Code: Invalid, Field: name, Problem: problem}
}

// Because returns a fault whose text names the problem rather than the code alone.
func Because(code Code, problem Problem) *Error { return &Error{Code: code, Problem: problem} }

// Wrap returns a fault that keeps its cause for the log.
func Wrap(code Code, cause error) *Error { return &Error{Code: code, cause: cause} }

// Error describes the fault for logs and tests; users see the locale's text instead.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Problem != "" {
		text += ": " + string(e.Problem)
	}
	if e.cause != nil {
		text += fmt.Sprintf(": %v", e.cause)
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Of returns the fault in err's chain, or nil when it has none.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// Is reports whether err is a fault of this code.
func Is(err error, code Code) bool {
	e := Of(err)
	return e != nil && e.Code == code
}
