package models

import (
	"errors"
	"strings"
)

// Failure is the stored reason why a refund request or a reconciliation is unfinished: a code or, with an argument, the
// code, a space and the argument. Its text is failure.<code>.
type Failure string

// The failures.
const (
	FailureRefused     Failure = "stripe_refused"       // argument: Stripe's code, or else its type of error
	FailureStripe      Failure = "stripe_failed"        // argument: the HTTP status
	FailureNoAnswer    Failure = "no_answer"            // of Stripe
	FailureKeySpent    Failure = "key_spent"            // Stripe repeats a stored failure, and there is no refund
	FailureDatabase    Failure = "database_unavailable" // retried
	FailureInterrupted Failure = "interrupted"          // the server stopped
	FailureUnknown     Failure = "unknown"              // argument: the error, not translated
)

// Failures lists every failure. A test checks that each has a text.
func Failures() []Failure {
	return []Failure{FailureRefused, FailureStripe, FailureNoAnswer, FailureKeySpent, FailureDatabase, FailureInterrupted,
		FailureUnknown}
}

// FailureOf returns the failure in an error's chain, or else FailureUnknown.
func FailureOf(err error) Failure {
	var failure Failure
	if errors.As(err, &failure) {
		return failure
	}
	return FailureUnknown.Of(err.Error())
}

// Of returns the failure with an argument, such as a code from Stripe.
func (f Failure) Of(argument string) Failure { return f + Failure(" "+argument) }

// Split returns the code and the argument, which may be empty.
func (f Failure) Split() (code Failure, argument string) {
	text, argument, _ := strings.Cut(string(f), " ")
	return Failure(text), argument
}

// Key returns the locale key.
func (f Failure) Key() string {
	code, _ := f.Split()
	return "failure." + string(code)
}

// Error returns the code and its argument.
func (f Failure) Error() string { return string(f) }
