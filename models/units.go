// Package models holds the rows of the database and the units they are counted in.
package models

import (
	"slices"
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

var (
	// fixedReasons are the words that no feature may have for a name. The text of each is entry.reason.<reason>.
	fixedReasons = []Reason{ReasonPurchase, ReasonRefund, ReasonDispute, ReasonManual}

	// features are those that the program knows from the start, in the order in which a job seeker meets them. Their texts
	// are feature.<feature> and landing.features.<feature>; their prices begin as a migration of feature_prices sets them.
	features = []Reason{ReasonResumeAnalysis, ReasonJobMatch, ReasonResumeImprovement}
)

// FixedReasons lists the reasons that are no feature.
func FixedReasons() []Reason { return slices.Clone(fixedReasons) }

// Features lists the features that the program knows from the start.
func Features() []Reason { return slices.Clone(features) }

// Reasons lists all reasons that the program has a text for.
func Reasons() []Reason { return slices.Concat(fixedReasons, features) }

// FixedReason reports whether a reason is one of the words that no feature may have for a name.
func FixedReason(r Reason) bool { return slices.Contains(fixedReasons, r) }

// KnownFeature reports whether a reason is a feature that the program has a text for.
func KnownFeature(r Reason) bool { return slices.Contains(features, r) }

// Overdraws reports whether credits may go below zero for this reason: only where Stripe has already
// moved the money back, never by spending and never by hand.
func (r Reason) Overdraws() bool { return r == ReasonRefund || r == ReasonDispute }

// Locales the product speaks, the default first.
var Locales = []string{"en", "de"}

// KnownLocale reports whether the product speaks this language.
func KnownLocale(code string) bool { return slices.Contains(Locales, code) }

// Storable reports whether PostgreSQL can hold the text: UTF-8 without NUL.
func Storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// Now is the services' clock: UTC, to the microsecond that PostgreSQL keeps.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
