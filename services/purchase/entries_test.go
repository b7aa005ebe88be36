package purchase_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/logging"
	"github.com/resume-matcher/credits/services/purchase"
)

// Booking returns the entries that it adds, and logs each once, however often the report comes.
func TestBookedEntriesAreReturnedAndLogged(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.order("cs_2")
	f.buy("pi_3")
	f.buy("pi_4")
	var out bytes.Buffer
	f.Log = logging.NewLogger(&out, slog.LevelInfo, "json")
	for name, r := range map[string]purchase.Report{
		"a session": paidSession("cs_2", "pi_2"),
		"a charge":  purchase.Charge{ID: "ch_3", PaymentRef: "pi_3", Currency: "eur", Amount: 3500, AmountRefunded: 500},
		"a dispute": purchase.Dispute{ID: "dp_4", PaymentRef: "pi_4", Currency: "eur", Amount: 500, Status: "lost"},
	} {
		for n, want := range []int{1, 0} {
			out.Reset()
			rows, err := f.BookFetched(t.Context(), r, nil)
			lines := strings.Count(out.String(), `"before_event":true`)
			if err != nil || len(rows) != want || lines != want {
				t.Errorf("%s, report %d: %d entries, %d lines (%v); want %d of each", name, n+1, len(rows), lines, err, want)
			}
		}
	}
	out.Reset()
	f.refund(1000, 0, "form")
	for _, message := range []string{"refund made", "credits moved"} {
		if n := strings.Count(out.String(), `"msg":"`+message+`"`); n != 1 {
			t.Errorf("%d lines %q, want 1, in:\n%s", n, message, out.String())
		}
	}
}

// Money that Stripe took back for a dispute, or returned, adds up; an absurd figure does not count.
func TestMovementsOfADispute(t *testing.T) {
	t.Parallel()
	const most = 1_000_000_000_000 // cents
	for name, c := range map[string]struct {
		moved     []int64
		withdrawn int64
		currency  string
	}{
		"taken":                {[]int64{-1000}, 1000, "eur"},
		"taken twice":          {[]int64{-1000, -500}, 1500, "eur"},
		"taken and given back": {[]int64{-1000, 1000}, 0, ""},
		"a part given back":    {[]int64{-1000, 400}, 600, "eur"},
		"the most":             {[]int64{-most}, most, "eur"},
		"the most, given back": {[]int64{-1000, most}, 1000 - most, "eur"},
		"more than the most":   {[]int64{-most - 1}, 0, ""},
		"more, given back":     {[]int64{-1000, most + 1}, 1000, "eur"},
	} {
		var d purchase.Dispute
		for _, amount := range c.moved {
			d.AddMovement(amount, "eur")
		}
		if d.Withdrawn != c.withdrawn || d.WithdrawnCurrency != c.currency {
			t.Errorf("%s: %d %q withdrawn, want %d %q", name, d.Withdrawn, d.WithdrawnCurrency, c.withdrawn, c.currency)
		}
	}
}
