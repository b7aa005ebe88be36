package components_test

import (
	"context"
	"testing"
	"time"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	berlin := time.FixedZone("CET", 3600)
	moment := time.Date(2026, time.November, 3, 1, 5, 0, 0, berlin) // the day before in UTC
	for _, c := range []struct {
		name   string
		write  func(context.Context) string
		en, de string
	}{
		{"no credits", credits(0), "0", "0"},
		{"three digits", credits(999), "999", "999"},
		{"four digits", credits(1200), "1,200", "1.200"},
		{"seven digits", credits(1234567), "1,234,567", "1.234.567"},
		{"below zero", credits(-1500), "−1,500", "−1.500"},
		{"the smallest number", credits(-1 << 63), "−9,223,372,036,854,775,808", "−9.223.372.036.854.775.808"},
		{"credits in", signed(500), "+500", "+500"},
		{"credits out", signed(-10), "−10", "−10"},
		{"no credits by name", amount(0), "0\u00a0credits", "0\u00a0Credits"},
		{"one credit", amount(1), "1\u00a0credit", "1\u00a0Credit"},
		{"many credits", amount(1200), "1,200\u00a0credits", "1.200\u00a0Credits"},
		{"euros", money(500, "eur"), "€5.00", "5,00\u00a0€"},
		{"thousands of euros", money(123456, "EUR"), "€1,234.56", "1.234,56\u00a0€"},
		{"a currency without decimals", money(500, "jpy"), "¥500", "500\u00a0¥"},
		{"a currency of thousandths", money(1700, "kwd"), "KWD\u00a01.700", "1,700\u00a0KWD"},
		{"hundredths that are not written", money(75000, "isk"), "ISK\u00a0750", "750\u00a0ISK"},
		{"hundredths that are not written, in thousands", money(2000000, "ugx"), "UGX\u00a020,000", "20.000\u00a0UGX"},
		{"whole units that ISO 4217 divides", money(25000, "mga"), "MGA\u00a025,000", "25.000\u00a0MGA"},
		{"an amount to type", typed(123450, "eur"), "1234.50", "1234,50"},
		{"an amount to type without hundredths", typed(75000, "isk"), "750", "750"},
		{"an unknown currency", money(500, "zzz"), "500 zzz", "500 zzz"},
		{"a moment", func(ctx context.Context) string { return components.DateTime(ctx, moment) }, "3 Nov 2026, 00:05\u00a0(UTC)",
			"03.11.2026, 00:05\u00a0Uhr\u00a0(UTC)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for locale, want := range map[string]string{"en": c.en, "de": c.de} {
				ctx, _ := texts.Context(context.Background(), locale)
				if got := c.write(ctx); got != want {
					t.Errorf("%s: %q, want %q", locale, got, want)
				}
			}
		})
	}
}

func credits(n models.Credits) func(context.Context) string {
	return func(ctx context.Context) string { return components.Credits(ctx, n) }
}

func signed(n models.Credits) func(context.Context) string {
	return func(ctx context.Context) string { return components.SignedCredits(ctx, n) }
}

func amount(n models.Credits) func(context.Context) string {
	return func(ctx context.Context) string { return components.CreditAmount(ctx, n) }
}

func typed(n models.Cents, code string) func(context.Context) string {
	return func(ctx context.Context) string { return components.TypedMoney(ctx, n, code) }
}

func money(n models.Cents, code string) func(context.Context) string {
	return func(ctx context.Context) string { return components.Money(ctx, n, code) }
}
