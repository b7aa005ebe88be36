package models

import (
	"strconv"
	"strings"
)

// minorDigits are the decimals of the currencies that Stripe does not count in hundredths. It is Stripe's table, which
// is not ISO 4217: ISK and UGX are counted in hundredths, MGA is not.
// Source: https://docs.stripe.com/currencies#zero-decimal and #three-decimal
var minorDigits = map[string]int{
	"bif": 0, "clp": 0, "djf": 0, "gnf": 0, "jpy": 0, "kmf": 0, "krw": 0, "mga": 0,
	"pyg": 0, "rwf": 0, "vnd": 0, "vuv": 0, "xaf": 0, "xof": 0, "xpf": 0,
	"bhd": 3, "jod": 3, "kwd": 3, "omr": 3, "tnd": 3,
}

// wholeOnly are currencies that Stripe counts in hundredths and takes in whole units alone: 5 kr are 500, and 550 are
// refused.
// Source: https://docs.stripe.com/currencies#special-cases
var wholeOnly = map[string]bool{"isk": true, "ugx": true}

// MinorDigits is how many decimals separate a currency from the unit in which Stripe counts it. code is ISO 4217 in
// either case; a currency that we do not know is counted in hundredths, as most are.
func MinorDigits(code string) int {
	if digits, ok := minorDigits[strings.ToLower(code)]; ok {
		return digits
	}
	return 2
}

// ShownDigits is how many decimals people write of a currency.
func ShownDigits(code string) int {
	if wholeOnly[strings.ToLower(code)] {
		return 0
	}
	return MinorDigits(code)
}

// Decimal writes an amount as a plain number in the currency itself: "12.50" of 1250 euro cents, "750" of 75000 ISK.
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
