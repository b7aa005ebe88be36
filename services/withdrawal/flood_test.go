package withdrawal_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// listed reads all pages of the list.
func (c *fixture) listed(size int) (rows []models.ListedWithdrawal) {
	c.t.Helper()
	seen := map[uuid.UUID]bool{}
	for after := (withdrawal.Cursor{}); ; {
		page, next, err := c.List(context.Background(), after, size)
		if err != nil || len(page) > size {
			c.t.Fatalf("%d withdrawals on a page of %d, %v", len(page), size, err)
		}
		for _, w := range page {
			if seen[w.ID] {
				c.t.Errorf("%s is on two pages", w.ID)
			}
			seen[w.ID] = true
		}
		rows = append(rows, page...)
		if next == nil {
			return rows
		}
		after = *next
	}
}

// A flood refuses nobody: each declaration is received, those of the flood shortened and behind all others, and the honest
// ones of strangers and buyers are before them, whatever address they come from.
func TestAFloodHidesNobody(t *testing.T) {
	t.Parallel()
	c := newFixture(t)
	ctx := t.Context()
	buyer := c.user.ID
	var email string
	if err := c.DB.Raw(`SELECT email FROM users WHERE id = ?`, buyer).Scan(&email).Error; err != nil {
		t.Fatal(err)
	}
	send := func(key, name, email, sender string) models.Withdrawal {
		d := declaration(key)
		d.Name, d.Email, d.Sender, d.Contract = name, email, sender, strings.Repeat("ü", 2000)
		w, err := c.Declare(ctx, d)
		if err != nil {
			t.Fatalf("a declaration is refused: %v", err)
		}
		return w
	}
	for i := range 60 {
		w := send(fmt.Sprint("flood ", i), strings.Repeat(fmt.Sprint("flood ", i), 10), "a@b.example", "from:flood")
		flood := i >= 20
		if short := len([]rune(w.Contract)) <= 200 && len([]rune(w.Name)) <= 80; flood != short || flood != (w.Priority == models.WithdrawalOfFlood) {
			t.Errorf("declaration %d has priority %d and %d characters", i, w.Priority, len([]rune(w.Contract)))
		}
	}
	honest := send("honest", "Honest Stranger", "honest@example.org", "from:elsewhere")
	same := send("same", "Buyer at the flood's address", email, "from:flood")
	other := send("other", "Buyer elsewhere", email, "from:elsewhere")
	rows := c.listed(7)
	if len(rows) != 63 {
		t.Fatalf("%d declarations are listed, want all 63", len(rows))
	}
	place := map[uuid.UUID]int{}
	for i, w := range rows {
		place[w.ID] = i
	}
	if place[same.ID] > 1 || place[other.ID] > 1 || place[honest.ID] > 22 {
		t.Errorf("the buyer is at %d and %d, the stranger at %d; want them before the flood", place[same.ID], place[other.ID], place[honest.ID])
	}
	t.Run("and a buyer's address is no way past", func(t *testing.T) {
		first := 0
		for i := range 30 {
			if send(fmt.Sprint("as buyer ", i), fmt.Sprint("as buyer ", i), email, "from:flood").Priority == models.WithdrawalOfBuyer {
				first++
			}
		}
		if first > 3 {
			t.Errorf("%d of a flood in a buyer's name come first, want 3 at most with their own", first)
		}
	})
	t.Run("and only the newest of a flood are kept", func(t *testing.T) {
		if err := c.DB.Exec(`INSERT INTO withdrawals (id, idempotency_key, name, email, contract, locale, received_at, priority, sender)
			SELECT gen_random_uuid(), 'kept ' || n, 'n', 'e@example.org', 'c', 'de', ?::timestamptz - interval '2 hours' - n * interval '1 second', 2, 'from:' || n
			FROM generate_series(1, 30000) n`, c.Now()).Error; err != nil {
			t.Fatal(err)
		}
		if n, err := c.Sweep(ctx); err != nil || n < 10_000 {
			t.Errorf("%d dropped, %v", n, err)
		}
		var left struct{ Flood, Others, Senders int }
		if err := c.DB.Raw(`SELECT count(*) FILTER (WHERE priority = 2) AS flood, count(*) FILTER (WHERE priority < 2) AS others,
			count(*) FILTER (WHERE sender <> '' AND received_at <= ?) AS senders FROM withdrawals`, c.Now().Add(-time.Hour)).Scan(&left).Error; err != nil {
			t.Fatal(err)
		}
		if left.Flood != 20_000 || left.Others < 23 || left.Senders != 0 {
			t.Errorf("%+v are left, want 20,000 of the flood, all others, and no sender of an hour ago", left)
		}
		if w, err := c.Find(ctx, honest.ID.String()); err != nil || w.Name != "Honest Stranger" {
			t.Errorf("the stranger's is %+v, %v", w, err)
		}
	})
}

// The same words of one sender are one row, of several senders one line, closed at once and with one line of the audit log.
func TestDeclarationsOfTheSameAreFolded(t *testing.T) {
	t.Parallel()
	c := newFixture(t)
	ctx := t.Context()
	var first atomic.Value
	dbtest.Concurrently(20, func(i int) {
		d := declaration(fmt.Sprint("form ", i))
		d.Sender, d.Name = fmt.Sprint("from:", i%2), []string{"Ada Lovelace", " ada  LOVELACE "}[i%2]
		w, err := c.Declare(context.Background(), d)
		if err != nil {
			t.Errorf("withdraw: %v", err)
		}
		first.Store(w.ID)
	})
	another := declaration("another")
	another.Contract = "1200 Credits"
	if _, err := c.Declare(ctx, another); err != nil {
		t.Fatal(err)
	}
	var stored int
	if err := c.DB.Raw(`SELECT count(*) FROM withdrawals`).Scan(&stored).Error; err != nil || stored != 3 {
		t.Errorf("%d rows, %v; want one of each sender and the other one", stored, err)
	}
	rows := c.listed(1)
	if len(rows) != 2 || rows[0].Declared+rows[1].Declared != 21 {
		t.Fatalf("listed %+v, want two lines for 20 and 1", rows)
	}
	if n, err := c.CountOpen(ctx); err != nil || n != 2 {
		t.Errorf("%d are open, %v; want 2", n, err)
	}
	admin := dbtest.User(t, c.DB, "admin@example.org").ID
	dbtest.Concurrently(20, func(int) {
		if err := c.Close(context.Background(), first.Load().(uuid.UUID).String(), admin, "req_1"); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if n, err := c.CountOpen(ctx); err != nil || n != 1 {
		t.Errorf("%d are open after closing, %v; want the other one", n, err)
	}
	var closed []string
	if err := c.DB.Raw(`SELECT detail ->> 'closed' FROM audit_log WHERE action = 'withdrawal.close'`).Scan(&closed).Error; err != nil || len(closed) != 1 || closed[0] != "2" {
		t.Errorf("the audit log says %v, %v; want one line about two", closed, err)
	}
	again := declaration("again")
	again.Sender = "from:0"
	if w, err := c.Declare(ctx, again); err != nil || w.HandledAt != nil {
		t.Errorf("declared again after it was closed: %+v, %v; want a new one", w, err)
	}
}
