package stripe

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/bojanz/currency"
)

// digits returns the number of decimals between a currency and its smallest unit: those of ISO 4217. This stand-in has
// none of the currencies in which Stripe differs.
func digits(code string) int {
	n, _ := currency.GetDigits(strings.ToUpper(code))
	return int(n)
}

// decimal formats an amount in the smallest unit as a plain number: "12.50".
func decimal(amount int64, code string) string {
	if amount < 0 {
		return "-" + decimal(-amount, code)
	}
	n := digits(code)
	text := fmt.Sprintf("%0*d", n+1, amount)
	if n == 0 {
		return text
	}
	return text[:len(text)-n] + "." + text[len(text)-n:]
}

// money formats an amount in the locale: "12,50 €".
func money(amount int64, code, locale string) string {
	a, err := currency.NewAmount(decimal(amount, code), strings.ToUpper(code))
	if err != nil {
		return strconv.FormatInt(amount, 10) + " " + strings.ToUpper(code)
	}
	return currency.NewFormatter(currency.NewLocale(locale)).Format(a)
}

var amountText = regexp.MustCompile(`^\d{1,12}([.,]\d{1,3})?$`)

// parseMoney reads an amount, with a point or a comma, in the currency's smallest unit.
func parseMoney(typed, code string) (int64, error) {
	typed = strings.TrimSpace(typed)
	if !amountText.MatchString(typed) {
		return 0, errors.New("not an amount")
	}
	whole, part, _ := strings.Cut(strings.ReplaceAll(typed, ",", "."), ".")
	n := digits(code)
	if len(part) > n {
		return 0, errors.New("too many decimals")
	}
	sum, err := strconv.ParseInt(whole+part+strings.Repeat("0", n-len(part)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read amount: %w", err)
	}
	return sum, nil
}
