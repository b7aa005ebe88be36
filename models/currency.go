package models

import (
	"strconv"
	"strings"
)

// minorDigits are the decimals of the currencies that Stripe does not count in hundredths. Stripe differs from ISO
// 4217: it counts ISK and UGX in hundredths, MGA in whole units.
// Source: https://docs.stripe.com/currencies#zero-decimal and #three-decimal
var minorDigits = map[string]int{
	"bif": 0, "clp": 0, "djf": 0, "gnf": 0, "jpy": 0, "kmf": 0, "krw": 0, "mga": 0,
	"pyg": 0, "rwf": 0, "vnd": 0, "vuv": 0, "xaf": 0, "xof": 0, "xpf": 0,
	"bhd": 3, "jod": 3, "kwd": 3, "omr": 3, "tnd": 3,
}

// wholeOnly are currencies that Stripe counts in hundredths but accepts in whole units only: it takes 500 as 5 kr and
// refuses 550.
// Source: https://docs.stripe.com/currencies#special-cases
var wholeOnly = map[string]bool{"isk": true, "ugx": true}

// MinorDigits returns the number of decimals between a currency and the unit in which Stripe counts it. code is ISO
// 4217 in either case; unknown currencies count in hundredths.
func MinorDigits(code string) int {
	if digits, ok := minorDigits[strings.ToLower(code)]; ok {
		return digits
	}
	return 2
}

// ShownDigits returns the number of decimals to show.
func ShownDigits(code string) int {
	if wholeOnly[strings.ToLower(code)] {
		return 0
	}
	return MinorDigits(code)
}

// Decimal formats an amount as a plain number of the currency: "12.50" for 1250 euro cents, "750" for 75000 ISK.
func Decimal(amount Cents, code string) string {
	digits, sign := MinorDigits(code), ""
	text := strconv.FormatInt(int64(amount), 10)
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "-", rest
	}
	if missing := digits + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	whole, part := text[:len(text)-digits], text[len(text)-digits:]
	if ShownDigits(code) < digits {
		part = strings.TrimRight(part, "0")
	}
	if part == "" {
		return sign + whole
	}
	return sign + whole + "." + part
}
