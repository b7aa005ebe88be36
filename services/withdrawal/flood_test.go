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

// listAll reads all pages of the list.
func (f *fixture) listAll(size int) (rows []models.ListedWithdrawal) {
	f.t.Helper()
	seen := map[uuid.UUID]bool{}
	for after := (withdrawal.Cursor{}); ; {
		page, next, err := f.List(context.Background(), after, size)
		if err != nil || len(page) > size {
			f.t.Fatalf("page has %d withdrawals (%v), want at most %d", len(page), err, size)
		}
		for _, w := range page {
			if seen[w.ID] {
				f.t.Errorf("withdrawal %s is on two pages, want one", w.ID)
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

// A flood blocks no declaration: all are stored, those of the flood clipped and listed last. Honest declarations of
// buyers and other consumers are listed before them, even from the flood's IP address.
func TestFloodHidesNoDeclaration(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	buyer := f.user.ID
	var email string
	if err := f.DB.Raw(`SELECT email FROM users WHERE id = ?`, buyer).Scan(&email).Error; err != nil {
		t.Fatal(err)
	}
	send := func(key, name, email, sender string) models.Withdrawal {
		d := declaration(key)
		d.Name, d.Email, d.Sender, d.Contract = name, email, sender, strings.Repeat("ü", 2000)
		w, err := f.Declare(ctx, d)
		if err != nil {
			t.Fatalf("declare: %v", err)
		}
		return w
	}
	for i := range 60 {
		name := strings.Repeat(fmt.Sprint("flood ", i), 10) // from 10 on the longest that is not clipped
		w := send(fmt.Sprint("flood ", i), name, "a@b.example", "from:flood")
		if w.Name != name {
			t.Errorf("declaration %d has the name %q, want %q", i, w.Name, name)
		}
		flood := i >= 20
		clipped := len([]rune(w.Contract)) <= 200 && len([]rune(w.Name)) <= 80
		if flood != clipped || flood != (w.Priority == models.WithdrawalPriorityFlood) {
			t.Errorf("declaration %d has priority %d and %d characters, want flood: %v",
				i, w.Priority, len([]rune(w.Contract)), flood)
		}
	}
	honest := send("honest", "Honest Consumer", "honest@example.org", "from:elsewhere")
	same := send("same", "Buyer at the flood's address", email, "from:flood")
	other := send("other", "Buyer elsewhere", email, "from:elsewhere")
	rows := f.listAll(7)
	if len(rows) != 63 {
		t.Fatalf("%d declarations are listed, want 63", len(rows))
	}
	position := map[uuid.UUID]int{}
	for i, w := range rows {
		position[w.ID] = i
	}
	if position[same.ID] > 1 || position[other.ID] > 1 || position[honest.ID] > 22 {
		t.Errorf("positions of the buyer = %d and %d, of another consumer = %d; want at most 1, 1 and 22",
			position[same.ID], position[other.ID], position[honest.ID])
	}
	t.Run("limits a flood in a buyer's name", func(t *testing.T) {
		first := 0
		for i := range 30 {
			name := fmt.Sprint("as buyer ", i)
			if send(name, name, email, "from:flood").Priority == models.WithdrawalPriorityBuyer {
				first++
			}
		}
		if first > 3 {
			t.Errorf("%d declarations of the flood have a buyer's priority, want at most 3", first)
		}
	})
	t.Run("keeps only the newest of a flood", func(t *testing.T) {
		if err := f.DB.Exec(
			`INSERT INTO withdrawals (id, idempotency_key, name, email, contract, locale, received_at, priority, sender)
			SELECT gen_random_uuid(), 'kept ' || n, 'n', 'e@example.org', 'c', 'de', ?::timestamptz - interval '2 hours' - n * interval '1 second', 2, 'from:' || n
			FROM generate_series(1, 30000) n`, f.Now()).Error; err != nil {
			t.Fatal(err)
		}
		if n, err := f.Sweep(ctx); err != nil || n < 10_000 {
			t.Errorf("swept %d declarations (%v), want at least 10,000", n, err)
		}
		var left struct{ Flood, Others, Senders int }
		if err := f.DB.Raw(
			`SELECT count(*) FILTER (WHERE priority = 2) AS flood, count(*) FILTER (WHERE priority < 2) AS others,
			count(*) FILTER (WHERE sender <> '' AND received_at <= ?) AS senders FROM withdrawals`, f.Now().Add(-time.Hour)).Scan(&left).Error; err != nil {
			t.Fatal(err)
		}
		if left.Flood != 20_000 || left.Others < 23 || left.Senders != 0 {
			t.Errorf("left = %+v, want 20,000 of the flood, all others, and no sender older than an hour", left)
		}
		if w, err := f.Find(ctx, honest.ID.String()); err != nil || w.Name != "Honest Consumer" {
			t.Errorf("honest declaration = %+v, %v; want it unchanged", w, err)
		}
	})
}

// Equal declarations of one sender are one row. Those of several senders are listed once and closed together, with
// one audit entry.
func TestEqualDeclarationsAreFolded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	var first atomic.Value
	dbtest.Concurrently(20, func(i int) {
		d := declaration(fmt.Sprint("form ", i))
		d.Sender, d.Name = fmt.Sprint("from:", i%2), []string{"Ada Lovelace", " ada  LOVELACE "}[i%2]
		w, err := f.Declare(context.Background(), d)
		if err != nil {
			t.Errorf("declare: %v", err)
		}
		first.Store(w.ID)
	})
	another := declaration("another")
	another.Contract = "1200 Credits"
	if _, err := f.Declare(ctx, another); err != nil {
		t.Fatal(err)
	}
	var stored int
	if err := f.DB.Raw(`SELECT count(*) FROM withdrawals`).Scan(&stored).Error; err != nil || stored != 3 {
		t.Errorf("%d rows (%v), want 3: one per sender, and the other declaration", stored, err)
	}
	rows := f.listAll(1)
	if len(rows) != 2 || rows[0].Declared+rows[1].Declared != 21 {
		t.Fatalf("listed %+v, want 2 rows for 20 declarations and 1", rows)
	}
	if n, err := f.CountOpen(ctx); err != nil || n != 2 {
		t.Errorf("%d declarations are open (%v), want 2", n, err)
	}
	admin := dbtest.User(t, f.DB, "admin@example.org").ID
	dbtest.Concurrently(20, func(int) {
		if err := f.Close(context.Background(), first.Load().(uuid.UUID).String(), admin, "req_1"); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if n, err := f.CountOpen(ctx); err != nil || n != 1 {
		t.Errorf("%d declarations are open after closing (%v), want 1", n, err)
	}
	var closed []string
	err := f.DB.Raw(`SELECT detail ->> 'closed' FROM audit_log WHERE action = 'withdrawal.close'`).Scan(&closed).Error
	if err != nil || len(closed) != 1 || closed[0] != "2" {
		t.Errorf("closed per audit entry = %v (%v), want one entry with 2", closed, err)
	}
	again := declaration("again")
	again.Sender = "from:0"
	if w, err := f.Declare(ctx, again); err != nil || w.HandledAt != nil {
		t.Errorf("declared again after closing: %+v, %v; want a new open one", w, err)
	}
}
