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

// id names a part of the package's card.
func (p Package) id(part string) string {
	return part + "-" + strconv.FormatInt(int64(p.Price.CreditsPerUnit), 10)
}

// ordered reports whether a link preselected this package, or its order was refused.
func (d PurchaseData) ordered(p Package) bool {
	return d.PriceID != "" && d.PriceID == p.Price.StripePriceID
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
func (d PurchaseData) quantityField(ctx context.Context, p Package) components.Input {
	in := components.Input{
		ID: p.id("quantity"), Name: "quantity", Type: "text", InputMode: "numeric", Autocomplete: "off", Value: "1",
		Label: locales.T(ctx, "purchase.package.quantity"),
		Hint: locales.T(ctx, "purchase.package.quantity_hint",
			locales.Args{"price": components.Money(ctx, p.Price.PriceInCents, p.Price.Currency)}),
	}
	if d.ordered(p) {
		in.Value, in.Error = d.Quantity, d.Errors["quantity"]
		in.Focus = in.Error != ""
	}
	return in
}

// total returns the price on the button. app.js updates it with the quantity; Stripe shows it again.
func (d PurchaseData) total(p Package) models.Cents {
	if d.ordered(p) {
		return p.Price.Total(max(d.Units, 1))
	}
	return p.Price.Total(1)
}

// packageButton makes one button primary: that of the chosen package, else of the best.
func packageButton(d PurchaseData, p Package) components.ButtonKind {
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
func bonusText(ctx context.Context, p Package) string {
	return locales.N(ctx, "purchase.package.bonus", p.Bonus,
		locales.Args{"paid": components.Credits(ctx, p.Price.CreditsPerUnit-p.Bonus)})
}
