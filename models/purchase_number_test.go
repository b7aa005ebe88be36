package models

import "testing"

func TestParsePurchaseNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]PurchaseNumber{
		"RM-1042": 1042, "rm-1042": 1042, " RM 1042 ": 1042, "RM1042": 1042, "1042": 1042, "RM-01042": 1042,
		"": 0, "RM-": 0, "RM": 0, "-1042": 0, "RM-10.42": 0, "RM-١٠٤٢": 0, "RMX-1042": 0, "RM-1042x": 0,
		"RM-9223372036854775808": 0, "99999999999999999999999": 0, "+1042": 0,
	} {
		if got := ParsePurchaseNumber(text); got != want {
			t.Errorf("ParsePurchaseNumber(%q) = %d, want %d", text, got, want)
		}
	}
	if got := ParsePurchaseNumber(PurchaseNumber(1042).String()); got != 1042 {
		t.Errorf("the number as shown reads as %d, want 1042", got)
	}
}
