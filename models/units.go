// Package models holds the rows of the database and the units they are counted in.
package models

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Credits counts what users buy and spend. Whole numbers only; negative when taken.
type Credits int64

// Cents is an amount of money in the currency's smallest unit (euro cents).
type Cents int64

// Reason says why credits moved: one of the fixed words, or the feature that was used. An operator may add features;
// the database takes those of feature_prices and no others (credit_transactions_reason_known).
type Reason string

// The fixed words, and the features that the program knows from the start.
const (
	ReasonPurchase          Reason = "purchase"
	ReasonRefund            Reason = "refund"
	ReasonDispute           Reason = "dispute"
	ReasonResumeAnalysis    Reason = "resume_analysis"
	ReasonJobMatch          Reason = "job_match"
	ReasonResumeImprovement Reason = "resume_improvement"
	ReasonManual            Reason = "manual"
)

// Reasons lists those that the program has words for, for the test that wants a text for each.
func Reasons() []Reason {
	return []Reason{ReasonPurchase, ReasonRefund, ReasonDispute, ReasonResumeAnalysis, ReasonJobMatch, ReasonResumeImprovement, ReasonManual}
}

// FixedReason reports whether a reason is one of the words that no feature may have for a name.
func FixedReason(r Reason) bool {
	switch r {
	case ReasonPurchase, ReasonRefund, ReasonDispute, ReasonManual:
		return true
	}
	return false
}

// KnownFeature reports whether a reason is a feature that the program has words for.
func KnownFeature(r Reason) bool {
	switch r {
	case ReasonResumeAnalysis, ReasonJobMatch, ReasonResumeImprovement:
		return true
	}
	return false
}

// Overdraws reports whether credits may go below zero for this reason: only where Stripe has already
// moved the money back, never by spending and never by hand.
func (r Reason) Overdraws() bool { return r == ReasonRefund || r == ReasonDispute }

// Locales the product speaks, the default first.
var Locales = []string{"en", "de"}

// KnownLocale reports whether the product speaks this language.
func KnownLocale(code string) bool {
	for _, l := range Locales {
		if l == code {
			return true
		}
	}
	return false
}

// Storable reports whether PostgreSQL can hold the text: UTF-8 without NUL.
func Storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// Now is the services' clock: UTC, to the microsecond that PostgreSQL keeps.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
