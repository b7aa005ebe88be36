// Package components holds the parts that pages are made of, and how they write credits, money and dates.
package components

import (
	"context"
	"strings"
	"time"

	"github.com/bojanz/currency"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
)

// Credits writes a number of credits: 1,200 or 1.200.
func Credits(ctx context.Context, n models.Credits) string { return locales.Number(ctx, int64(n)) }

// SignedCredits writes a movement of credits with its sign: +500 or −10.
func SignedCredits(ctx context.Context, n models.Credits) string {
	if n > 0 {
		return "+" + Credits(ctx, n)
	}
	return Credits(ctx, n)
}

// CreditAmount writes a number of credits with their name: 1 credit, 500 Credits.
func CreditAmount(ctx context.Context, n models.Credits) string {
	return locales.N(ctx, "credits.amount", n)
}

// Money writes an amount of money: €5.00 or 5,00 €. code is ISO 4217 in either case.
func Money(ctx context.Context, cents models.Cents, code string) string {
	amount, err := currency.NewAmount(models.Decimal(cents, code), strings.ToUpper(code))
	if err != nil { // no currency we know: the bare number is still true
		return locales.Number(ctx, int64(cents)) + " " + code
	}
	formatter := currency.NewFormatter(currency.NewLocale(locales.Code(ctx)))
	formatter.MinDigits = uint8(models.ShownDigits(code)) //nolint:gosec // G115: at most 3
	return formatter.Format(amount)
}

// TypedMoney writes an amount as one types it into a field: 1234.50 or 1234,50, without its currency.
func TypedMoney(ctx context.Context, cents models.Cents, code string) string {
	number := models.Decimal(cents, code)
	if locales.Code(ctx) == "de" {
		return strings.ReplaceAll(number, ".", ",")
	}
	return number
}

// DateTime writes a moment in the visitor's zone and names it: 23 Nov 2026, 15:05 CET.
func DateTime(ctx context.Context, t time.Time) string {
	return t.In(Zone(ctx)).Format(dateLayout(ctx) + ", 15:04 MST")
}

// Day writes the day of a moment, in the moment's own zone: 23 Nov 2026 or 23.11.2026.
func Day(ctx context.Context, t time.Time) string { return t.Format(dateLayout(ctx)) }

// ShortDay is Day without the year: 23 Nov or 23.11. with its full stop.
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

// Machine writes a moment for the datetime attribute.
func Machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Link returns the address of one of our pages in the context's language.
func Link(ctx context.Context, path string) string { return "/" + locales.Code(ctx) + path }
