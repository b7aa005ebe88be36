package stripe

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/bojanz/currency"
)

// digits is how many decimals a currency has.
func digits(code string) int {
	n, ok := currency.GetDigits(strings.ToUpper(code))
	if !ok {
		return 2
	}
	return int(n)
}

// decimal is an amount of the currency's smallest unit as a plain number: "12.50".
func decimal(amount int64, code string) string {
	a, err := currency.NewAmountFromInt64(amount, strings.ToUpper(code))
	if err != nil { // an unknown currency
		return strconv.FormatInt(amount, 10)
	}
	return a.Number()
}

// money writes an amount as people of the locale do: "12,50 €".
func money(amount int64, code, locale string) string {
	a, err := currency.NewAmountFromInt64(amount, strings.ToUpper(code))
	if err != nil {
		return strconv.FormatInt(amount, 10) + " " + strings.ToUpper(code)
	}
	return currency.NewFormatter(currency.NewLocale(locale)).Format(a)
}

var amountText = regexp.MustCompile(`^\d{1,12}([.,]\d{1,3})?$`)

// parseMoney reads what somebody typed, with a point or a comma, into the
// currency's smallest unit.
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
