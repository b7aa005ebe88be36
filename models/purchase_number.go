package models

import (
	"strconv"
	"strings"
)

// PurchaseNumber is the short number by which people name a purchase, as RM-1042. PostgreSQL assigns it. It opens
// nothing: addresses have the purchase's id.
type PurchaseNumber int64

// numberPrefix begins a purchase's number, so that people can tell it from other numbers.
const numberPrefix = "RM-"

// String returns the number as people see it.
func (n PurchaseNumber) String() string { return numberPrefix + strconv.FormatInt(int64(n), 10) }

// ParsePurchaseNumber reads a number as people write it: RM-1042, rm 1042, RM1042 or 1042. It returns 0 for anything
// else.
func ParsePurchaseNumber(text string) PurchaseNumber {
	digits := strings.ToUpper(strings.TrimSpace(text))
	if rest, ok := strings.CutPrefix(digits, "RM"); ok {
		digits = strings.TrimLeft(rest, "- ")
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0
	}
	return PurchaseNumber(n)
}
