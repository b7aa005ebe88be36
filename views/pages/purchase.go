package pages

import (
	"context"
	"slices"

	"github.com/a-h/templ"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// selected returns the package whose row is selected.
func (d PurchaseData) selected() models.Offer {
	return d.Packages[max(0, slices.IndexFunc(d.Packages, d.isSelected))]
}

func (d PurchaseData) isSelected(p models.Offer) bool { return p.StripePriceID == d.PriceID }

// units returns the quantity of the order; 1 while the typed one is none.
func (d PurchaseData) units() int64 { return max(d.Units, 1) }

// total returns the price above the button. app.js updates it with the package and the quantity. Without a script, an
// order at another total is shown again with its own.
func (d PurchaseData) total() models.Cents { return d.selected().Total(d.units()) }

// orderText says what is ordered: 2 × 500 credits. app.js writes the same.
func (d PurchaseData) orderText(ctx context.Context) string {
	return locales.Number(ctx, d.units()) + " × " + components.CreditAmount(ctx, d.selected().CreditsPerUnit)
}

// general returns the error that belongs to no visible part of the form.
func (d PurchaseData) general() string {
	for field, text := range d.Errors {
		if len(d.Packages) == 0 || field != "quantity" && field != "total" {
			return text
		}
	}
	return ""
}

// quantityField keeps what was typed. The server asks for a number: browsers cannot point at a field that is folded.
func (d PurchaseData) quantityField(ctx context.Context) components.Input {
	fault := d.Errors["quantity"]
	return components.Input{
		ID: "quantity", Name: "quantity", Type: "text", InputMode: "numeric", Autocomplete: "off", Value: d.Quantity,
		Label: locales.T(ctx, "purchase.package.quantity"), Hint: locales.T(ctx, "purchase.package.quantity_hint"),
		Error: fault, Focus: fault != "", Optional: true,
	}
}

// focusAttributes has the page open at an element.
func focusAttributes(focus bool) templ.Attributes {
	if !focus {
		return nil
	}
	return templ.Attributes{"tabindex": "-1", "autofocus": true}
}
