// Package components holds the building blocks of pages, and formats credits, money and dates.
package components

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bojanz/currency"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
)

// Credits formats a number of credits: 1,200 or 1.200.
func Credits(ctx context.Context, n models.Credits) string { return locales.Number(ctx, int64(n)) }

// SignedCredits formats a change of credits with its sign: +500 or −10.
func SignedCredits(ctx context.Context, n models.Credits) string {
	if n > 0 {
		return "+" + Credits(ctx, n)
	}
	return Credits(ctx, n)
}

// CreditAmount formats a number of credits with its unit: 1 credit, 500 Credits.
func CreditAmount(ctx context.Context, n models.Credits) string {
	return locales.N(ctx, "credits.amount", n)
}

// Money formats an amount of money: €5.00 or 5,00 €. code is ISO 4217 in either case.
func Money(ctx context.Context, cents models.Cents, code string) string {
	amount, err := currency.NewAmount(models.Decimal(cents, code), strings.ToUpper(code))
	if err != nil { // unknown currency
		return locales.Number(ctx, int64(cents)) + " " + code
	}
	formatter := currency.NewFormatter(currency.NewLocale(locales.Code(ctx)))
	formatter.MinDigits = uint8(models.ShownDigits(code)) //nolint:gosec // G115: at most 3
	return formatter.Format(amount)
}

// TypedMoney formats an amount for an input field: 1234.50 or 1234,50, without its currency.
func TypedMoney(ctx context.Context, cents models.Cents, code string) string {
	number := models.Decimal(cents, code)
	if locales.Code(ctx) == "de" {
		return strings.ReplaceAll(number, ".", ",")
	}
	return number
}

// DateTime formats a time in the visitor's zone: 23 Nov 2026, 15:05 or 23.11.2026, 15:05 Uhr. It names the zone only
// while the visitor's is unknown.
func DateTime(ctx context.Context, t time.Time) string {
	layout, zone := dateLayout(ctx)+", 15:04", Zone(ctx)
	if locales.Code(ctx) == "de" {
		layout += "\u00a0Uhr"
	}
	if zone == time.UTC {
		layout += "\u00a0(UTC)"
	}
	return t.In(zone).Format(layout)
}

// LegalTime is DateTime in models.LegalZone, whatever the visitor's, and names it: 23 Nov 2026, 15:05 (CET) or
// 23.11.2026, 15:05 Uhr (MEZ). Declarations under German law state their time so.
func LegalTime(ctx context.Context, t time.Time) string {
	ctx = WithZone(ctx, models.LegalZone)
	name := t.In(Zone(ctx)).Format("MST")
	if locales.Code(ctx) == "de" {
		name = strings.NewReplacer("CEST", "MESZ", "CET", "MEZ").Replace(name)
	}
	return DateTime(ctx, t) + "\u00a0(" + name + ")"
}

// Day formats the day of a time, in the time's own zone: 23 Nov 2026 or 23.11.2026.
func Day(ctx context.Context, t time.Time) string { return t.Format(dateLayout(ctx)) }

// ShortDay is Day without the year: 23 Nov or 23.11.
func ShortDay(ctx context.Context, t time.Time) string {
	if locales.Code(ctx) == "de" {
		return t.Format("02.01.")
	}
	return t.Format("2 Jan")
}

func dateLayout(ctx context.Context) string {
	if locales.Code(ctx) == "de" {
		return "02.01.2006"
	}
	return "2 Jan 2006"
}

// Machine formats a time for the datetime attribute.
func Machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Link returns the address of one of our pages in the context's language.
func Link(ctx context.Context, path string) string { return "/" + locales.Code(ctx) + path }

// Languages lists the product's languages by their code, in alphabetical order.
func Languages() []string { return slices.Sorted(slices.Values(models.Locales)) }

// LanguageName returns a language's own name.
func LanguageName(ctx context.Context, code string) string {
	return locales.T(ctx, "layout.language_"+code)
}
