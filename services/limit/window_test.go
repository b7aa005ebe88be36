package limit

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// A lease ends with the database's window, even when this process's clock is slow.
func TestLeaseEndsWithTheWindow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := New(f.db, f.clock.Now).NewWindow("key:test", time.Minute)
	if wait, err := w.Consume(t.Context(), 400); wait != 0 || err != nil {
		t.Fatalf("Consume = %v, %v; want 0 and no error", wait, err)
	}
	if w.left != 19 || w.until.After(f.clock.Now().Add(time.Minute)) || !w.until.After(f.clock.Now()) {
		t.Errorf("%d left until %v from %v, want 19 for at most a minute", w.left, w.until, f.clock.Now())
	}
	f.endWindows(Rule{Window: time.Minute})
	w.began = w.began.Add(-time.Hour)
	if wait, err := w.Consume(t.Context(), 400); wait != 0 || err != nil || w.left > 19 {
		t.Errorf("the next minute: %v, %v, %d left; want 0, no error, at most 19: the old lease is void", wait, err, w.left)
	}
}

func TestEvict(t *testing.T) {
	t.Parallel()
	filled := func(n int) map[int]bool {
		m := map[int]bool{}
		for i := range n {
			m[i] = i%4 == 0 // a quarter is stale
		}
		return m
	}
	for _, c := range []struct{ have, limit, want int }{{99, 100, 99}, {100, 100, 50}, {100, 200, 100}, {160, 100, 50}} {
		m := filled(c.have)
		Evict(m, c.limit, func(stale bool) bool { return stale })
		if len(m) != c.want {
			t.Errorf("%d entries with a limit of %d: %d left, want %d", c.have, c.limit, len(m), c.want)
		}
	}
	m := map[int]bool{1: true, 2: true, 3: true, 4: false}
	Evict(m, 4, func(stale bool) bool { return stale })
	if _, kept := m[4]; !kept || len(m) != 1 {
		t.Errorf("left %v, want the one that is not stale", m)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	l := New(f.db, f.clock.Now)
	for _, r := range []Rule{Spend, Export} {
		if err := l.Allow(t.Context(), r, User(1)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := l.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept %d rows of open windows (%v), want 0", n, err)
	}
	insertOld := func(rows int) {
		if err := f.db.Exec(`INSERT INTO rate_windows (subject, minute, taken, granted, ends_at)
			SELECT 'old:' || n, now() - interval '1 hour', 1, 1, now() - interval '61 seconds' FROM generate_series(1, ?) n`,
			rows).Error; err != nil {
			t.Fatal(err)
		}
	}
	insertOld(2500)
	var swept atomic.Int64
	dbtest.Concurrently(4, func(int) {
		n, err := New(f.db, nil).Sweep(t.Context())
		if err != nil {
			t.Error(err)
		}
		swept.Add(n)
	})
	if swept.Load() != 2500 || f.rows() != 2 {
		t.Errorf("swept %d rows and left %d, want 2500 and the 2 open windows", swept.Load(), f.rows())
	}
	insertOld(2*sweepBatch + 1)
	if n, err := l.Sweep(t.Context()); n != 2*sweepBatch+1 || err != nil {
		t.Errorf("one sweep deleted %d rows (%v), want %d", n, err, 2*sweepBatch+1)
	}
}

func TestRestoredActionsCanBeConsumedAgain(t *testing.T) {
	t.Parallel()
	f, r := newFixture(t), Rule{Name: "test", Count: 3, Window: time.Hour}
	l := New(f.db, f.clock.Now)
	n := f.inOneWindow(r.Window, func(round int) (n int64) {
		s := User(int64(round))
		for range 10 {
			if err := l.Allow(t.Context(), r, s); err != nil {
				t.Fatal(err)
			}
			l.WindowOf(r, s).Restore()
			l.WindowOf(r, s).Restore() // once too often
		}
		return exhaust(t, r, func(int) Sender { return s }, l)
	})
	if n != 3 {
		t.Errorf("allowed %d actions after ten restored ones, want 3", n)
	}
	l.WindowOf(r, User(99)).Restore() // no action was counted
	if n := f.inOneWindow(r.Window,
		func(round int) int64 { return exhaust(t, r, func(int) Sender { return User(int64(99 + round)) }, l) }); n != 3 {
		t.Errorf("allowed %d actions, want 3", n)
	}
}
