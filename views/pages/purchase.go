package pages

import (
	"context"
	"slices"
	"strconv"

	"github.com/a-h/templ"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// packageID names a part of a package's card.
func packageID(p models.Offer, part string) string {
	return part + "-" + strconv.FormatInt(int64(p.CreditsPerUnit), 10)
}

// ordered reports whether a link preselected this package, or its order was refused.
func (d PurchaseData) ordered(p models.Offer) bool {
	return d.PriceID != "" && d.PriceID == p.StripePriceID
}

// chosen reports whether any package is ordered.
func (d PurchaseData) chosen() bool { return slices.ContainsFunc(d.Packages, d.ordered) }

func focusAttributes(focus bool) templ.Attributes {
	if !focus {
		return nil
	}
	return templ.Attributes{"tabindex": "-1", "autofocus": true}
}

// general returns the error that belongs to no visible field.
func (d PurchaseData) general() string {
	for _, p := range d.Packages {
		if d.ordered(p) && d.Errors["quantity"] != "" {
			return ""
		}
	}
	for _, text := range d.Errors {
		return text
	}
	return ""
}

// quantityField keeps the typed quantity of the ordered package; the others start at one.
func (d PurchaseData) quantityField(ctx context.Context, p models.Offer) components.Input {
	in := components.Input{
		ID: packageID(p, "quantity"), Name: "quantity", Type: "text", InputMode: "numeric", Autocomplete: "off", Value: "1",
		Label: locales.T(ctx, "purchase.package.quantity"),
		Hint: locales.T(ctx, "purchase.package.quantity_hint",
			locales.Args{"price": components.Money(ctx, p.PriceInCents, p.Currency)}),
	}
	if d.ordered(p) {
		in.Value, in.Error = d.Quantity, d.Errors["quantity"]
		in.Focus = in.Error != ""
	}
	return in
}

// consentField is a statement that the buyer may make.
type consentField struct {
	id, name, text string // of the box, of its value, of its label's text
	checked        bool
}

// consentFields returns the statements, ticked only where a refused order had them ticked.
func (d PurchaseData) consentFields(p models.Offer) []consentField {
	return []consentField{
		{"early-start", "consent_early_start", ConsentTexts[0], d.ordered(p) && d.EarlyStart},
		{"compensation", "consent_compensation", ConsentTexts[1], d.ordered(p) && d.Compensation},
	}
}

// ConsentTexts are the keys of the statements, in the order of models.Consent.
var ConsentTexts = []string{"consent.early_start", "consent.compensation"}

// total returns the price above the button. app.js updates it with the quantity. Without a script, an order of another
// quantity is shown again with its total.
func (d PurchaseData) total(p models.Offer) models.Cents {
	if d.ordered(p) {
		return p.Total(max(d.Units, 1))
	}
	return p.Total(1)
}

// packageButton makes one button primary: that of the chosen package, else of the best.
func packageButton(d PurchaseData, p models.Offer) components.ButtonKind {
	if d.ordered(p) || p.Best && !d.chosen() {
		return components.Primary
	}
	return components.Secondary
}

// analysesText says how many resume analyses a package pays for.
func analysesText(ctx context.Context, analyses int64) string {
	return locales.N(ctx, "purchase.package.analyses", analyses)
}

// bonusText says how a package's credits add up: 1,000 plus 200.
func bonusText(ctx context.Context, p models.Offer) string {
	return locales.N(ctx, "purchase.package.bonus", p.Bonus,
		locales.Args{"paid": components.Credits(ctx, p.CreditsPerUnit-p.Bonus)})
}
