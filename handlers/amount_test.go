package handlers

import (
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

func TestParseCents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typed, currency, locale string
		want                    models.Cents
	}{
		{"12,50", "eur", "de", 1250}, {"12.50", "eur", "de", 1250}, {"12,50", "eur", "en", 1250},
		{"12.50", "eur", "en", 1250},
		{" 12,5 ", "eur", "de", 1250}, {"12", "eur", "en", 1200}, {"0,01", "eur", "de", 1}, {"0", "eur", "de", 0},
		{"007", "eur", "en", 700},
		{"0.29", "eur", "en", 29}, {"1.15", "usd", "en", 115}, {"999999999999.99", "eur", "en", 99999999999999},
		{"1.234,56", "eur", "de", 123456}, {"1,234.56", "eur", "en", 123456}, {"1.234", "eur", "de", 123400},
		{"1.234.567", "eur", "de", 123456700},
		{"500", "jpy", "en", 500}, {"1,500", "jpy", "en", 1500}, {"1.250", "kwd", "en", 1250}, {"1,25", "kwd", "de", 1250},
		{"12.50", "xxx", "en", 1250},
		{"300", "isk", "en", 30000}, {"10000", "ugx", "en", 1000000}, {"10.000", "ugx", "de", 1000000},
		{"12000", "mga", "en", 12000},
	} {
		got, err := parseCents("share", c.typed, c.currency, c.locale)
		if err != nil || got != c.want {
			t.Errorf("%q in %s, %s = %d (%v), want %d cents", c.typed, c.currency, c.locale, got, err, c.want)
		}
	}
	for _, c := range []struct{ typed, currency, locale string }{
		{"", "eur", "en"}, {"-5", "eur", "en"}, {"−5", "eur", "de"}, {"+5", "eur", "en"}, {"1.234,567", "eur", "de"},
		{"1.234,56", "eur", "en"}, {"1,234.56", "eur", "de"},
		{"1,234", "eur", "de"}, {"1.234", "eur", "en"}, {"12.345", "eur", "en"}, {"12,", "eur", "de"}, {",50", "eur", "de"},
		{"1e3", "eur", "en"}, {"0x10", "eur", "en"},
		{"12 50", "eur", "de"}, {"twelve", "eur", "en"}, {"5 €", "eur", "de"}, {"٣", "eur", "en"},
		{"1000000000000000", "eur", "en"}, {"1..5", "eur", "en"}, {"1.2.3", "eur", "de"},
		{"12.34.567", "eur", "de"}, {"1.5", "jpy", "en"}, {"1,250", "kwd", "en"}, {"NaN", "eur", "en"},
		{"Infinity", "eur", "en"}, {"1\n2", "eur", "en"},
		{"300.50", "isk", "en"}, {"0,5", "ugx", "de"}, {"250.00", "mga", "en"},
	} {
		if got, err := parseCents("share", c.typed, c.currency, c.locale); fault.Of(err) == nil || fault.Of(err).Field != "share" {
			t.Errorf("%q in %s, %s = %d (%v), want a fault about the field", c.typed, c.currency, c.locale, got, err)
		}
	}
}

func FuzzParseCents(f *testing.F) {
	for _, seed := range []string{"12,50", "1.234,56", "-1", "", "0.00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		for _, locale := range models.Locales {
			if got, err := parseCents("share", typed, "eur", locale); err == nil && got < 0 || err != nil && got != 0 {
				t.Errorf("parseCents(%q) = %d (%v), want at least 0, and 0 with an error", typed, got, err)
			}
		}
	})
}
