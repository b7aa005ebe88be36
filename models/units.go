// Package models holds the rows of the database and the units of their columns.
package models

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Credits is a whole number of credits; negative when taken.
type Credits int64

// Cents is an amount of money in the currency's smallest unit, such as euro cents.
type Cents int64

// Reason says why credits moved: a fixed reason or a feature. Operators may add features; the database accepts those of
// feature_prices (credit_transactions_reason_known).
type Reason string

// The fixed reasons and the built-in features.
const (
	ReasonPurchase          Reason = "purchase"
	ReasonRefund            Reason = "refund"
	ReasonDispute           Reason = "dispute"
	ReasonResumeAnalysis    Reason = "resume_analysis"
	ReasonJobMatch          Reason = "job_match"
	ReasonResumeImprovement Reason = "resume_improvement"
	ReasonManual            Reason = "manual"
	ReasonWithdrawal        Reason = "withdrawal"        // of holds only, as the next
	ReasonPeriod            Reason = "withdrawal_period" // its end makes the credits of a purchase usable
)

var (
	// fixedReasons are the reasons that no feature may be named after. Their texts are entry.reason.<reason>.
	fixedReasons = []Reason{ReasonPurchase, ReasonRefund, ReasonDispute, ReasonManual, ReasonWithdrawal, ReasonPeriod}

	// features are the built-in features, in the order in which a job seeker uses them. Their texts are feature.<feature>
	// and feature_text.<feature>; a migration sets their initial prices.
	features = []Reason{ReasonResumeAnalysis, ReasonJobMatch, ReasonResumeImprovement}
)

// Reasons lists all reasons that have a text.
func Reasons() []Reason { return slices.Concat(fixedReasons, features) }

// FixedReason reports whether a reason is a fixed one.
func FixedReason(r Reason) bool { return slices.Contains(fixedReasons, r) }

// KnownFeature reports whether a reason is a built-in feature.
func KnownFeature(r Reason) bool { return slices.Contains(features, r) }

// Overdraws reports whether an entry with this reason may take a balance below zero: only after Stripe has returned the
// money, never by spending or by hand.
func (r Reason) Overdraws() bool { return r == ReasonRefund || r == ReasonDispute }

// Locales are the product's languages, the default first.
var Locales = []string{"en", "de"}

// KnownLocale reports whether a language is in Locales.
func KnownLocale(code string) bool { return slices.Contains(Locales, code) }

// Storable reports whether PostgreSQL can hold the text: UTF-8 without NUL.
func Storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// Now returns the time in UTC, in PostgreSQL's microseconds.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
