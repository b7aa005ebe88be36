package purchase_test

import (
	"testing"
	"time"

	"github.com/resume-matcher/credits/services/purchase"
)

// The days of the law are days in Germany, also when the clocks change.
// Source: §§ 187 Abs. 1, 188 Abs. 1, 355 Abs. 2, 357 Abs. 1 BGB
func TestDaysOfAWithdrawal(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]struct{ end, due string }{
		"2026-03-20T22:59:59Z": {"2026-04-03T22:00:00Z", "2026-04-03T10:00:00Z"}, // in between, summer time begins
		"2026-03-20T23:00:00Z": {"2026-04-04T22:00:00Z", "2026-04-04T10:00:00Z"},
		"2026-10-20T12:00:00Z": {"2026-11-03T23:00:00Z", "2026-11-03T11:00:00Z"}, // winter time
	} {
		at, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		end, due := purchase.PeriodEnd(at).UTC().Format(time.RFC3339), purchase.DueOn(at).UTC().Format(time.RFC3339)
		if end != want.end || due != want.due {
			t.Errorf("from %s the period ends %s and the refund is due %s, want %s and %s", from, end, due, want.end, want.due)
		}
	}
}
