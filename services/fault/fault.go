// Package fault holds the error type for refusals that users may see. Every other error is internal: it is logged, and
// shown as one neutral sentence.
package fault

import (
	"errors"
	"fmt"
	"maps"
)

// Code is the kind of a refusal. Its text is errors.<code>.
type Code string

// The codes. handlers/errors.go maps each to an HTTP status and a name in the API.
const (
	Malformed           Code = "malformed" // the request cannot be parsed
	Invalid             Code = "invalid"   // a value in the request is wrong
	SignatureInvalid    Code = "signature_invalid"
	Unauthenticated     Code = "unauthenticated"
	Forbidden           Code = "forbidden"
	NotFound            Code = "not_found"
	MethodNotAllowed    Code = "method_not_allowed"
	Conflict            Code = "conflict"
	HoldClosed          Code = "hold_closed" // the hold has already ended in another way
	InsufficientCredits Code = "insufficient_credits"
	PayloadTooLarge     Code = "payload_too_large"
	RateLimited         Code = "rate_limited"
	Misdirected         Code = "misdirected" // meant for another host
	Internal            Code = "internal"
	Unavailable         Code = "unavailable"
	Upstream            Code = "upstream" // Resume Matcher failed
)

// Codes lists every code. Tests check that each has a status and a text.
func Codes() []Code {
	return []Code{Malformed, Invalid, SignatureInvalid, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict,
		HoldClosed,
		InsufficientCredits, PayloadTooLarge, RateLimited, Misdirected, Internal, Unavailable,
		Upstream}
}

// Problem says what is wrong in detail, such as with one value of the input. Its text is errors.problem.<problem>.
type Problem string

// The problems.
const (
	PriceUnknown        Problem = "price_unknown"
	ReturnURLRefused    Problem = "return_url_refused" // leads to a site that is not ours
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
	BodyUnreadable      Problem = "body_not_understood"
	ContentTypeNotJSON  Problem = "content_type_not_json"
	TokenMissing        Problem = "csrf_token"
	CrossSite           Problem = "cross_site"
	AdminsOnly          Problem = "admins_only"
	KeyUsedOtherwise    Problem = "idempotency_key_used_otherwise"
	CorrectionDirection Problem = "correction_direction"
	NothingPaid         Problem = "nothing_paid"
	MoveUnpaid          Problem = "move_unpaid"
	MoveTarget          Problem = "move_target"
	MoveSame            Problem = "move_same"
	MoveLapsed          Problem = "move_lapsed"
	MovedSince          Problem = "moved_since"
	RefundedSince       Problem = "refunded_since"
	GoodwillOver        Problem = "goodwill_over"    // no refund is offered, or not any more
	GoodwillChanged     Problem = "goodwill_changed" // another amount is offered than the form shows
	RefundRange         Problem = "refund_range"
	AmountUnreadable    Problem = "amount_unreadable"
	CaptureRange        Problem = "capture_range"
	TTLRange            Problem = "ttl_range"
	EmailInvalid        Problem = "email_invalid"
	StillRunning        Problem = "still_running"   // an earlier request: see InProgress
	OutcomeUnknown      Problem = "outcome_unknown" // the request may have taken effect
	CallerUnknown       Problem = "caller_unknown"
	UserUnknown         Problem = "user_unknown" // no account has the id or address that a program names
	KeyNeeded           Problem = "service_key_needed"
	SessionNeeded       Problem = "session_needed"
	ScopeMissing        Problem = "scope_missing"
	KeyRequired         Problem = "idempotency_key_required"
	FieldUnknown        Problem = "field_unknown"
	FieldTwice          Problem = "field_twice"
	FieldMissing        Problem = "field_missing"
	ValueUnfit          Problem = "value_unfit"
	TooDeep             Problem = "too_deep"
	TooManyItems        Problem = "too_many_items"
	UserNotNamed        Problem = "user_not_named"
	UserNamed           Problem = "user_named"
	KeyNameLength       Problem = "key_name_length"
	ScopesUnknown       Problem = "scopes_unknown"
	PerMinuteRange      Problem = "per_minute_range"
	KeyDaysRange        Problem = "key_days_range"
	KeyExpired          Problem = "key_expired"
	CheckoutOver        Problem = "checkout_over"
	ConsentChanged      Problem = "consent_changed" // the form shows an older wording of its statements
	ConsentMissing      Problem = "consent_missing" // a statement that the form is about
	NothingHeld         Problem = "nothing_held"    // no credits of the purchase wait for statements of the buyer
	WithdrawalName      Problem = "withdrawal_name"
	WithdrawalContract  Problem = "withdrawal_contract"
	WithdrawalUnclear   Problem = "withdrawal_unclear" // a person must decide what to refund
	ReceiptMissing      Problem = "receipt_missing"
	ReceiptAway         Problem = "receipt_away" // Stripe is unreachable
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
	AddressKnown        Problem = "address_known"    // an account with other identities has this address
	AddressOther        Problem = "address_other"    // the address belongs to another account than the one signed in to
	AddressReissued     Problem = "address_reissued" // the same provider has verified this address for another identity
	NotPresent          Problem = "not_present"      // the provider did not reauthenticate the user
	DeletionConfirm     Problem = "deletion_confirm"
	DeletionDispute     Problem = "deletion_dispute"
	ExportTooLarge      Problem = "export_too_large"
	Busy                Problem = "busy"              // too many concurrent requests
	OtherAccount        Problem = "other_account"     // the purchase belongs to another user
	DecidedOtherwise    Problem = "decided_otherwise" // another admin decided since the page was loaded
	ReviewOver          Problem = "review_over"       // it was decided, or has settled itself
	ShareRange          Problem = "share_range"
	FeatureOff          Problem = "feature_off"       // not for sale at the moment
	OperatorOnly        Problem = "operator_only"     // a setting of Resume Matcher
	PassMissing         Problem = "pass_missing"      // no charged request allows this one, or not any more
	UpstreamAway        Problem = "upstream_away"     // Resume Matcher does not answer
	UpstreamSlow        Problem = "upstream_slow"     // not within the time limit
	UpstreamUnusable    Problem = "upstream_unusable" // its answer must not reach the browser
	AddOnMissing        Problem = "add_on_missing"    // its users would share their resumes
	AddOnRefuses        Problem = "add_on_refuses"    // the add-on does not accept our secret
	WebhookURL          Problem = "webhook_url"
	WebhookHTTPS        Problem = "webhook_https"
	WebhookAddress      Problem = "webhook_address" // private, or another that we do not send to
	WebhookEvents       Problem = "webhook_events"
	WebhookThreshold    Problem = "webhook_threshold"
	WebhookLimit        Problem = "webhook_limit"
	LowBalanceRange     Problem = "low_balance_range"
)

// Error is a refusal that the user may see.
type Error struct {
	Code    Code
	Field   string         // the name of the wrong value in the form or body, or empty
	Problem Problem        // empty when the code says enough
	Detail  map[string]any // for error.detail of the API and the placeholders of the text
	cause   error          // only for the log
}

// New returns a fault with details for the caller; detail may be nil.
func New(code Code, detail map[string]any) *Error { return &Error{Code: code, Detail: detail} }

// Field returns an Invalid fault about one value of the input.
func Field(name string, problem Problem) *Error {
	return &Error{Code: Invalid, Field: name, Problem: problem}
}

// Because returns a fault with a problem, whose text replaces that of the code.
func Because(code Code, problem Problem) *Error { return &Error{Code: code, Problem: problem} }

// InProgress returns the conflict with an earlier request that is still running. The caller may ask again after a
// second.
func InProgress() *Error {
	return &Error{Code: Conflict, Problem: StillRunning, Detail: map[string]any{"retryAfter": 1}}
}

// With returns a copy of the fault with one more detail.
func (e *Error) With(name string, value any) *Error {
	more := *e
	more.Detail = map[string]any{}
	maps.Copy(more.Detail, e.Detail)
	more.Detail[name] = value
	return &more
}

// Wrap returns a fault with a cause for the log.
func Wrap(code Code, cause error) *Error { return &Error{Code: code, cause: cause} }

// Caused returns a fault with a problem, and a cause for the log.
func Caused(code Code, problem Problem, cause error) *Error {
	return &Error{Code: code, Problem: problem, cause: cause}
}

// Error describes the fault for logs and tests. Users see its text from locales.
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

// Of returns the fault in err's chain, or nil.
func Of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}

// Is reports whether err's chain holds a fault with this code.
func Is(err error, code Code) bool {
	e := Of(err)
	return e != nil && e.Code == code
}
