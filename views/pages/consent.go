package pages

import (
	"context"

	"github.com/a-h/templ"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// Statements are what a form says about the withdrawal period. Nothing is ticked unless a refused form had it ticked.
type Statements struct {
	EarlyStart, Compensation bool              // ticked
	Errors                   map[string]string // by field, in the reader's language
}

// ConsentTexts are the keys of the statements, in the order of models.Consent.
var ConsentTexts = []string{"consent.early_start", "consent.compensation"}

// consentField is a statement that the buyer may make.
type consentField struct {
	id, name, text string // of the box, of its value, of its label's text
	checked        bool
	problem        string // in the reader's language
	focus          bool   // the first that has a problem
}

func (s Statements) fields() []consentField {
	first, second := s.Errors["consent_early_start"], s.Errors["consent_compensation"]
	return []consentField{
		{"early-start", "consent_early_start", ConsentTexts[0], s.EarlyStart, first, first != ""},
		{"compensation", "consent_compensation", ConsentTexts[1], s.Compensation, second, first == "" && second != ""},
	}
}

// attributes point from the box to its error.
func (f consentField) attributes() templ.Attributes {
	if f.problem == "" {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true", "aria-describedby": f.id + "-error", "autofocus": f.focus}
}

// consentHint is the key of what an order says about a buyer who makes no statement.
func consentHint(holdsCredits bool) string {
	if holdsCredits {
		return "consent.hint_held"
	}
	return "consent.hint"
}

// UseNowData asks a buyer for both statements, to use credits before the withdrawal period ends.
type UseNowData struct {
	Locale, CSRF string
	Purchase     models.Purchase
	Held         models.PeriodHold
	Statements   Statements
	Error        string // about no box, in the reader's language
}

// heldArgs are the arguments of texts about held credits.
func heldArgs(ctx context.Context, h models.PeriodHold) locales.Args {
	return locales.Args{"credits": components.CreditAmount(ctx, h.Credits), "number": h.PurchaseNumber.String(),
		"date": components.LegalTime(ctx, h.Until)}
}

// useNowPath is the page on which a buyer makes held credits usable.
func useNowPath(locale string, h models.PeriodHold) string {
	return "/" + locale + "/purchase/" + h.PurchaseID.String() + "/use-now"
}
