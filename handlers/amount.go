package handlers

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Patterns of typed amounts: decimals after a point or a comma, thousands grouped as in the locale.
var (
	plainAmount   = regexp.MustCompile(`^\d{1,12}(?:[.,](\d{1,3}))?$`)
	groupedAmount = map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`^\d{1,3}(?:,\d{3}){1,3}(?:\.(\d{1,3}))?$`),
		"de": regexp.MustCompile(`^\d{1,3}(?:\.\d{3}){1,3}(?:,(\d{1,3}))?$`),
	}
)

// parseCents parses the amount of money typed into a form's field, exactly. It rejects text that has two readings.
// Units: the currency's minor unit as Stripe counts it.
// Errors: fault.Invalid.
func parseCents(field, typed, code, locale string) (models.Cents, error) {
	typed = strings.TrimSpace(typed)
	readings := map[int64]bool{}
	for _, form := range []*regexp.Regexp{plainAmount, groupedAmount[locale]} {
		match := form.FindStringSubmatch(typed)
		if match == nil || len(match[1]) > models.ShownDigits(code) {
			continue
		}
		whole := strings.TrimSuffix(typed, match[1])
		whole = strings.NewReplacer(".", "", ",", "").Replace(whole)
		n, err := strconv.ParseInt(whole+match[1]+strings.Repeat("0", models.MinorDigits(code)-len(match[1])), 10, 64)
		if err == nil {
			readings[n] = true
		}
	}
	for n := range readings {
		if len(readings) == 1 {
			return models.Cents(n), nil
		}
	}
	return 0, fault.Field(field, fault.AmountUnreadable)
}
