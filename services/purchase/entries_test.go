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
	var out bytes.Buffer
	f.Log = logging.NewLogger(&out, slog.LevelInfo, "json")
	for name, r := range map[string]purchase.Report{
		"a session": paidSession("cs_2", "pi_2"),
		"a charge":  purchase.Charge{ID: "ch_1", PaymentRef: "pi_1", Currency: "eur", Amount: 3500, AmountRefunded: 500},
		"a dispute": purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", Currency: "eur", Amount: 500, Status: "lost"},
	} {
		if _, isSession := r.(purchase.Checkout); isSession {
			f.order("cs_2")
		}
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
	f.refund(1000, 500, "form")
	if n := strings.Count(out.String(), `"msg":"refund made"`); n != 1 {
		t.Errorf("%d lines about the refund, want 1, in:\n%s", n, out.String())
	}
}
