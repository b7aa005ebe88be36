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

// Whatever happens to people's payments, in whatever words Stripe tells of it, and in whatever order, how often and at
// how many places at once its events arrive: in the end the ledger holds what the facts come to, and each event is
// either booked, ignored or before a person.
func TestHistories(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	played := 0
	dbtest.Check(t, 60, 3000, func(t *rapid.T) {
		played++
		m.play(t, drawHistory(t, strconv.Itoa(played), m.tag, rapid.Bool().Draw(t, "again")))
	})
	dbtest.CheckLedger(t, m.DB)
}

// delivery is one event on its way, or, without one, a moment in which time passes and the worker runs.
type delivery struct {
	payload string
	pause   time.Duration
}

// play delivers a history in a random order, from one place or eight at once, and looks at the end of it.
func (m *market) play(t *rapid.T, h *history) {
	m.open(t, h)
	var deliveries []delivery
	for _, e := range h.events {
		for range rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "copies") {
			deliveries = append(deliveries, delivery{payload: e})
		}
		if rapid.IntRange(0, 4).Draw(t, "twin") == 4 {
			deliveries = append(deliveries, delivery{payload: twin(e, "_twin")})
		}
	}
	for range rapid.IntRange(0, 8).Draw(t, "pauses") {
		pause := rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Second, 2 * time.Minute, time.Hour, 7 * time.Hour, 25 * time.Hour}).Draw(t, "pause")
		deliveries = append(deliveries, delivery{pause: pause})
	}
	deliveries = rapid.Permutation(deliveries).Draw(t, "order")
	m.deliver(t, deliveries, rapid.SampledFrom([]int{1, 8, 8, 8}).Draw(t, "places"))
	if m.tried(t) && !h.again {
		m.look(t, h) // what still waits is in the ledger already, with what it waited for
	}
	m.settleDown(t)
	first := m.look(t, h)

	mark := rapid.SampledFrom([]string{"", "", "_again"}).Draw(t, "mark") // the same events, or new ones of the same facts
	var once []delivery
	for _, e := range h.events {
		once = append(once, delivery{payload: twin(e, mark)})
	}
	m.deliver(t, once, 8)
	m.settleDown(t)
	if again := m.look(t, h); !maps.Equal(first, again) {
		t.Errorf("everything once more changed the ledger: %v, then %v", first, again)
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

func (m *market) deliver(t *rapid.T, deliveries []delivery, places int) {
	var next atomic.Int64
	dbtest.Concurrently(places, func(int) {
		for i := next.Add(1) - 1; i < int64(len(deliveries)); i = next.Add(1) - 1 {
			d := deliveries[i]
			if d.payload != "" {
				if err := m.send(d.payload); err != nil {
					t.Errorf("deliver: %v", err)
				}
				continue
			}
			m.clock.Add(d.pause.Microseconds())
			if err := m.BookDue(context.Background()); err != nil {
				t.Errorf("book due: %v", err)
			}
		}
	})
}

// booked is a purchase with what the ledger says of it.
type booked struct {
	CheckoutSessionID                                      string
	Email                                                  string
	Status                                                 string
	CreditsGranted, CreditsRefunded, CreditsDisputed       int64
	GrantLines, LinesGranted, LinesRefunded, LinesDisputed int64
}

// look compares the books with the facts, and returns every person's balance and number of lines.
func (m *market) look(t *rapid.T, h *history) map[string][2]int64 {
	sessions := make([]string, 0, len(h.payments))
	for _, p := range h.payments {
		sessions = append(sessions, p.session())
	}
	var rows []booked
	err := m.DB.Raw(`SELECT p.checkout_session_id, u.email, p.status, p.credits_granted, p.credits_refunded, p.credits_disputed,
			count(*) FILTER (WHERE c.reason = 'purchase') AS grant_lines,
			coalesce(sum(c.delta_credits) FILTER (WHERE c.reason = 'purchase'), 0) AS lines_granted,
			coalesce(-sum(c.delta_credits) FILTER (WHERE c.reason = 'refund'), 0) AS lines_refunded,
			coalesce(-sum(c.delta_credits) FILTER (WHERE c.reason = 'dispute'), 0) AS lines_disputed
		FROM purchases p JOIN users u ON u.id = p.user_id LEFT JOIN credit_transactions c ON c.meta ->> 'purchase_id' = p.id::text AND c.user_id = u.id
		WHERE p.checkout_session_id IN ? GROUP BY p.id, u.email`, sessions).Scan(&rows).Error
	if err != nil {
		t.Fatal(err)
	}
	var strangers int64 // the other product's events that wait for a person
	err = m.DB.Raw(`SELECT count(*) FROM stripe_events WHERE status = 'review' AND payment_ref IN ?`, append(h.foreign(), "")).Scan(&strangers).Error
	if err != nil || strangers != 0 {
		t.Errorf("%d events of another product wait for a person (%v), want none", strangers, err)
	}
	want := map[string]int64{}
	for _, p := range h.payments {
		granted, refunded, disputed := p.owed()
		want[p.buyer.email] += granted - refunded - disputed
		i := slices.IndexFunc(rows, func(b booked) bool { return b.CheckoutSessionID == p.session() })
		if i < 0 {
			if p.begun() || granted != 0 {
				t.Errorf("nothing is known of %s", p)
			}
			continue
		}
		lines := int64(0)
		if granted > 0 {
			lines = 1
		}
		if expected := (booked{p.session(), p.buyer.email, p.status(), granted, refunded, disputed, lines, granted, refunded, disputed}); rows[i] != expected {
			t.Errorf("booked %+v\n want %+v\n for %s", rows[i], expected, p)
		}
	}
	return m.balances(t, h, want)
}

func (m *market) balances(t *rapid.T, h *history, want map[string]int64) map[string][2]int64 {
	got := map[string][2]int64{}
	for _, p := range h.people {
		var row struct{ Balance, Lines, Sum int64 }
		err := m.DB.Raw(`SELECT u.credits_balance AS balance, count(c.id) AS lines, coalesce(sum(c.delta_credits), 0) AS sum
			FROM users u LEFT JOIN credit_transactions c ON c.user_id = u.id WHERE u.email = ? GROUP BY u.id`, p.email).Scan(&row).Error
		if err != nil {
			t.Fatal(err)
		}
		if row.Balance != want[p.email] || row.Sum != row.Balance {
			t.Errorf("%s has %d credits, %d by the ledger's lines, want %d", p.email, row.Balance, row.Sum, want[p.email])
		}
		got[p.email] = [2]int64{row.Balance, row.Lines}
	}
	return got
}
