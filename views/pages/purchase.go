package pages

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

const maxQuantity = 100

// id names a part of the package's card.
func (p Package) id(part string) string {
	return part + "-" + strconv.FormatInt(int64(p.Price.CreditsPerUnit), 10)
}

// ordered reports whether this is the package that a link chose, or whose order was refused.
func (d PurchaseData) ordered(p Package) bool {
	return d.PriceID != "" && d.PriceID == p.Price.StripePriceID
}

// chosen reports whether any package on the page is ordered.
func (d PurchaseData) chosen() bool { return slices.ContainsFunc(d.Packages, d.ordered) }

func focusAttributes(focus bool) templ.Attributes {
	if !focus {
		return nil
	}
	return templ.Attributes{"tabindex": "-1", "autofocus": true}
}

// PackagePath is where the purchase page has this many credits' package chosen, quantity times.
func PackagePath(locale string, credits models.Credits, quantity int64) string {
	path := at(locale, "/purchase?package=") + strconv.FormatInt(int64(credits), 10)
	if quantity != 1 {
		path += "&quantity=" + strconv.FormatInt(quantity, 10)
	}
	return path
}

// general is what was wrong with an order and belongs to no field that is on the page.
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

// quantityField keeps what was typed for the package that was ordered; the others begin at one.
func (d PurchaseData) quantityField(ctx context.Context, p Package) components.Input {
	in := components.Input{
		ID: p.id("quantity"), Name: "quantity", Type: "text", InputMode: "numeric", Autocomplete: "off", Value: "1",
		Label: locales.T(ctx, "purchase.package.quantity"),
		Hint:  locales.T(ctx, "purchase.package.quantity_hint", locales.Args{"price": components.Money(ctx, p.Price.PriceInCents, p.Price.Currency)}),
	}
	if d.ordered(p) {
		in.Value, in.Error = d.Quantity, d.Errors["quantity"]
		in.Focus = in.Error != ""
	}
	return in
}

// total is what the button asks for. The browser keeps it in step with the quantity; Stripe shows it again.
func (d PurchaseData) total(p Package) models.Cents {
	quantity := 1
	if d.ordered(p) {
		if n, err := strconv.Atoi(strings.TrimSpace(d.Quantity)); err == nil && n >= 1 && n <= maxQuantity {
			quantity = n
		}
	}
	return p.Price.PriceInCents * models.Cents(quantity)
}

// credits is what the offer holds in all.
func (s Shortage) credits() models.Credits {
	return s.Offer.Price.CreditsPerUnit * models.Credits(s.Quantity)
}

// price is what the offer costs in all.
func (s Shortage) price(ctx context.Context) string {
	return components.Money(ctx, s.Offer.Price.PriceInCents*models.Cents(s.Quantity), s.Offer.Price.Currency)
}

// path is where the offer is chosen.
func (s Shortage) path(ctx context.Context) string {
	return PackagePath(locales.Code(ctx), s.Offer.Price.CreditsPerUnit, s.Quantity) + "#" + s.Offer.id("card")
}

// packageButton makes one button stand out: that of the chosen package, or else of the best.
func packageButton(d PurchaseData, p Package) components.ButtonKind {
	if d.ordered(p) || p.Best && !d.chosen() {
		return components.Primary
	}
	return components.Secondary
}
