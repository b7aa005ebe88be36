package models_test

import (
	"math"
	"testing"

	"github.com/resume-matcher/credits/models"
)

func TestAmountsAreCountedAsStripeDoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code         string
		minor, shown int
	}{
		{"eur", 2, 2}, {"USD", 2, 2}, {"huf", 2, 2}, {"twd", 2, 2}, {"jpy", 0, 0}, {"KRW", 0, 0}, {"mga", 0, 0},
		{"xof", 0, 0},
		{"isk", 2, 0}, {"UGX", 2, 0}, {"kwd", 3, 3}, {"TND", 3, 3}, {"zzz", 2, 2},
	} {
		if minor, shown := models.MinorDigits(c.code), models.ShownDigits(c.code); minor != c.minor || shown != c.shown {
			t.Errorf("%s is counted with %d decimals and shown with %d, want %d and %d", c.code, minor, shown, c.minor, c.shown)
		}
	}
	for _, c := range []struct {
		amount models.Cents
		code   string
		want   string
	}{
		{1250, "eur", "12.50"}, {5, "eur", "0.05"}, {0, "eur", "0.00"}, {-1250, "EUR", "-12.50"}, {-5, "eur", "-0.05"},
		{800, "jpy", "800"}, {0, "jpy", "0"}, {25000, "mga", "25000"}, {1700, "kwd", "1.700"}, {7, "kwd", "0.007"},
		{75000, "isk", "750"}, {2000000, "ugx", "20000"}, {0, "isk", "0"}, {75050, "isk", "750.5"},
		{math.MinInt64, "eur", "-92233720368547758.08"}, {math.MaxInt64, "kwd", "9223372036854775.807"},
	} {
		if got := models.Decimal(c.amount, c.code); got != c.want {
			t.Errorf("%d %s is %q, want %q", c.amount, c.code, got, c.want)
		}
	}
}
