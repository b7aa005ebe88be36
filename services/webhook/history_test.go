package webhook

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Whatever happens to payments, and in whatever order, number and concurrency their events arrive: in the end the
// ledger matches the facts, and each event is booked, ignored or under review.
func TestHistories(t *testing.T) {
	t.Parallel()
	f := newHistoryFixture(t)
	played := 0
	dbtest.Check(t, 60, 3000, func(t *rapid.T) {
		played++
		f.play(t, drawHistory(t, strconv.Itoa(played), f.tag, rapid.Bool().Draw(t, "again")))
	})
	dbtest.CheckLedger(t, f.DB)
}

// delivery is one event to deliver or, without payload, a pause after which the worker runs.
type delivery struct {
	payload string
	pause   time.Duration
}

// play delivers a history in random order from one or eight goroutines, and checks the result.
func (f *historyFixture) play(t *rapid.T, h *history) {
	f.open(t, h)
	var deliveries []delivery
	for _, e := range h.events {
		for range rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "copies") {
			deliveries = append(deliveries, delivery{payload: e})
		}
		if rapid.IntRange(0, 4).Draw(t, "duplicate") == 4 {
			deliveries = append(deliveries, delivery{payload: duplicate(e, "_duplicate")})
		}
	}
	for range rapid.IntRange(0, 8).Draw(t, "pauses") {
		pause := rapid.SampledFrom([]time.Duration{
			0, time.Second, 10 * time.Second, 2 * time.Minute, time.Hour, 7 * time.Hour, 25 * time.Hour,
		}).Draw(t, "pause")
		deliveries = append(deliveries, delivery{pause: pause})
	}
	deliveries = rapid.Permutation(deliveries).Draw(t, "order")
	f.deliver(t, deliveries, rapid.SampledFrom([]int{1, 8, 8, 8}).Draw(t, "senders"))
	if f.allAttempted(t) && !h.repeatsSum {
		f.check(t, h) // the facts of deferred events are in the ledger already
	}
	f.runWorkerToEnd(t)
	first := f.check(t, h)

	mark := rapid.SampledFrom([]string{"", "", "_again"}).Draw(t, "mark") // duplicates, or new events of the same facts
	var once []delivery
	for _, e := range h.events {
		once = append(once, delivery{payload: duplicate(e, mark)})
	}
	f.deliver(t, once, 8)
	f.runWorkerToEnd(t)
	if again := f.check(t, h); !maps.Equal(first, again) {
		t.Errorf("ledger after delivering all events again = %v, want %v", again, first)
	}
	if t.Failed() {
		for _, p := range h.payments {
			t.Log(p)
		}
		for _, d := range deliveries {
			t.Logf("%s%s", d.pause, strings.Join(strings.Fields(d.payload), ""))
		}
	}
}

func (f *historyFixture) deliver(t *rapid.T, deliveries []delivery, senders int) {
	var next atomic.Int64
	dbtest.Concurrently(senders, func(int) {
		for i := next.Add(1) - 1; i < int64(len(deliveries)); i = next.Add(1) - 1 {
			d := deliveries[i]
			if d.payload != "" {
				if err := f.send(d.payload); err != nil {
					t.Errorf("deliver: %v", err)
				}
				continue
			}
			f.clock.Add(d.pause.Microseconds())
			if err := f.BookDue(context.Background()); err != nil {
				t.Errorf("book due: %v", err)
			}
		}
	})
}

// booked is a purchase with the sums of its entries.
type booked struct {
	CheckoutSessionID                                string
	Email                                            string
	Status                                           string
	CreditsGranted, CreditsRefunded, CreditsDisputed int64
	GrantEntries, Granted, Refunded, Disputed        int64 // of the ledger
}

// check compares purchases and entries with the facts, and returns every person's balance and number of entries.
func (f *historyFixture) check(t *rapid.T, h *history) map[string][2]int64 {
	sessions := make([]string, 0, len(h.payments))
	for _, p := range h.payments {
		sessions = append(sessions, p.session())
	}
	var rows []booked
	err := f.DB.Raw(
		`SELECT p.checkout_session_id, u.email, p.status, p.credits_granted, p.credits_refunded, p.credits_disputed,
			count(*) FILTER (WHERE c.reason = 'purchase') AS grant_entries,
			coalesce(sum(c.delta_credits) FILTER (WHERE c.reason = 'purchase'), 0) AS granted,
			coalesce(-sum(c.delta_credits) FILTER (WHERE c.reason = 'refund'), 0) AS refunded,
			coalesce(-sum(c.delta_credits) FILTER (WHERE c.reason = 'dispute'), 0) AS disputed
		FROM purchases p JOIN users u ON u.id = p.user_id
		LEFT JOIN credit_transactions c ON c.meta ->> 'purchase_id' = p.id::text AND c.user_id = u.id
		WHERE p.checkout_session_id IN ? GROUP BY p.id, u.email`, sessions).Scan(&rows).Error
	if err != nil {
		t.Fatal(err)
	}
	var foreign int64
	err = f.DB.Raw(`SELECT count(*) FROM stripe_events WHERE status = 'review' AND payment_ref IN ?`,
		append(h.foreign(), "")).
		Scan(&foreign).Error
	if err != nil || foreign != 0 {
		t.Errorf("%d events of another product are under review (%v), want 0", foreign, err)
	}
	want := map[string]int64{}
	for _, p := range h.payments {
		granted, refunded, disputed := p.owed()
		want[p.buyer.email] += granted - refunded - disputed
		i := slices.IndexFunc(rows, func(b booked) bool { return b.CheckoutSessionID == p.session() })
		if i < 0 {
			if p.startedHere() || granted != 0 {
				t.Errorf("no purchase of %s, want one", p)
			}
			continue
		}
		entries := min(granted, 1)
		expected := booked{
			p.session(), p.buyer.email, p.status(), granted, refunded, disputed, entries, granted, refunded, disputed,
		}
		if rows[i] != expected {
			t.Errorf("booked %+v\n want %+v\n for %s", rows[i], expected, p)
		}
	}
	return f.balances(t, h, want)
}

// balances compares every person's balance with want and with their entries.
func (f *historyFixture) balances(t *rapid.T, h *history, want map[string]int64) map[string][2]int64 {
	got := map[string][2]int64{}
	for _, p := range h.people {
		var row struct{ Balance, Entries, Sum int64 }
		err := f.DB.Raw(`SELECT u.credits_balance AS balance, count(c.id) AS entries, coalesce(sum(c.delta_credits), 0) AS sum
			FROM users u LEFT JOIN credit_transactions c ON c.user_id = u.id WHERE u.email = ? GROUP BY u.id`, p.email).Scan(&row).Error
		if err != nil {
			t.Fatal(err)
		}
		if row.Balance != want[p.email] || row.Sum != row.Balance {
			t.Errorf("%s has %d credits and %d by entries, want %d", p.email, row.Balance, row.Sum, want[p.email])
		}
		got[p.email] = [2]int64{row.Balance, row.Entries}
	}
	return got
}
