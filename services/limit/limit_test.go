package limit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// clock is a machine's, which stands still unless it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a database and the replicas on it.
type world struct {
	t     *testing.T
	db    *gorm.DB
	clock *clock
	asked atomic.Int64 // how often the database was
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: dbtest.New(t), clock: &clock{at: time.Now()}}
	if err := w.db.Callback().Row().Before("gorm:row").Register("count", func(*gorm.DB) { w.asked.Add(1) }); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) replicas(n int) []*Limiter {
	all := make([]*Limiter, n)
	for i := range all {
		all[i] = New(w.db, w.clock.Now)
	}
	return all
}

func (w *world) rows() (n int64) {
	w.t.Helper()
	if err := w.db.Raw(`SELECT count(*) FROM rate_windows`).Scan(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return n
}

// within does work again if the database's window ended meanwhile, and returns what it returned last.
func (w *world) within(window time.Duration, work func(round int) int64) int64 {
	w.t.Helper()
	began := func() (at time.Time) {
		if err := w.db.Raw(`SELECT date_bin(make_interval(secs => ?), clock_timestamp(), timestamptz 'epoch')`, window.Seconds()).Scan(&at).Error; err != nil {
			w.t.Fatal(err)
		}
		return at
	}
	for round := 0; ; round++ {
		before := began()
		n := work(round)
		if began().Equal(before) || w.t.Failed() {
			return n
		}
	}
}

// over lets every window be over, for the database as for the replicas.
func (w *world) over(r Rule) {
	w.t.Helper()
	if err := w.db.Exec(`UPDATE rate_windows SET minute = minute - interval '2 hours', ends_at = ends_at - interval '2 hours'`).Error; err != nil {
		w.t.Fatal(err)
	}
	w.clock.Add(r.Window)
}

// drain takes from twenty goroutines until each is refused, and says how often it was not.
func drain(t *testing.T, r Rule, s func(n int) Sender, replicas ...*Limiter) int64 {
	t.Helper()
	var n atomic.Int64
	dbtest.Concurrently(20, func(i int) {
		for {
			switch err := replicas[i%len(replicas)].Take(t.Context(), r, s(i)); {
			case err == nil:
				n.Add(1)
			case fault.Is(err, fault.RateLimited):
				return
			default:
				t.Errorf("take: %v", err)
				return
			}
		}
	})
	return n.Load()
}

func TestLimitIsExactOverReplicas(t *testing.T) {
	t.Parallel()
	for _, r := range []Rule{{Name: "one", Count: 1, Window: time.Minute}, {Name: "few", Count: 7, Window: time.Minute}, {Name: "hourly", Count: 10, Window: time.Hour},
		{Name: "many", Count: 120, Window: time.Minute}} {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			n := w.within(r.Window, func(round int) int64 {
				return drain(t, r, func(int) Sender { return User(int64(round)) }, w.replicas(3)...)
			})
			if n != int64(r.Count) {
				t.Errorf("%d were let through, want %d", n, r.Count)
			}
		})
	}
}

func TestLimitIsOfEachSender(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), Rule{Name: "test", Count: 3, Window: time.Hour}
	l := New(w.db, w.clock.Now)
	w.within(r.Window, func(round int) int64 {
		drain(t, r, func(int) Sender { return User(int64(round)) }, l)
		for _, other := range []Sender{User(100 + int64(round)), addressed("192.0.2.1")} {
			if err := l.Take(t.Context(), r, other); err != nil {
				t.Errorf("another sender is refused: %v", err)
			}
		}
		if err := l.Take(t.Context(), Rule{Name: "other", Count: 1, Window: time.Hour}, User(int64(round))); err != nil && round == 0 {
			t.Errorf("another rule refuses: %v", err)
		}
		return 0
	})
}

func TestBeyondALimitTheDatabaseIsNotAsked(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), Rule{Name: "test", Count: 5, Window: time.Hour}
	l := New(w.db, w.clock.Now)
	w.within(r.Window, func(round int) int64 { return drain(t, r, func(int) Sender { return User(int64(round)) }, l) })
	before := w.asked.Load()
	for range 100 {
		err := l.Take(t.Context(), r, User(0))
		f := fault.Of(err)
		if f == nil || f.Code != fault.RateLimited {
			t.Fatalf("take: %v, want rate_limited", err)
		}
		if wait, _ := f.Detail["retryAfter"].(int); wait < 1 || wait > 3600 {
			t.Fatalf("retryAfter = %v, want 1 to 3600 seconds", f.Detail)
		}
	}
	if n := w.asked.Load() - before; n != 0 {
		t.Errorf("100 refusals asked the database %d times", n)
	}
	w.over(r)
	if err := l.Take(t.Context(), r, User(0)); err != nil {
		t.Errorf("in the next window: %v", err)
	}
}

// A bound in all holds however many senders there are.
func TestBoundInAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.within(time.Hour, func(round int) int64 {
		r := Rule{Name: fmt.Sprint("test", round), Count: 20, Window: time.Hour, InAll: 50}
		return drain(t, r, func(i int) Sender { return addressed(fmt.Sprintf("192.0.2.%d", i)) }, w.replicas(3)...)
	})
	if n != 50 {
		t.Errorf("%d were let through, want 50", n)
	}
}

// One site of IPv6 has 65,536 networks, and leaves most of what there is for all to the others.
func TestSiteLeavesRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.within(time.Hour, func(round int) int64 {
		r := Rule{Name: fmt.Sprint("test", round), Count: 20, Window: time.Hour, InAll: 8 * 25}
		replicas := w.replicas(3)
		of := func(site string) int64 {
			return drain(t, r, func(i int) Sender { return addressed(fmt.Sprintf("%s:%x::1", site, i)) }, replicas...)
		}
		return 1000*of("2001:db8:1") + of("2001:db8:2")
	})
	if n != 25_025 {
		t.Errorf("one site and then another had %d and %d of 200, want 25 each", n/1000, n%1000)
	}
}

// However many addresses strangers have, a process asks the database a bounded number of times a minute, and refuses
// none of them because of the others.
func TestStrangersHaveABoundOfStatements(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), Rule{Name: "test", Count: 2, Window: time.Minute}
	l := New(w.db, w.clock.Now)
	l.minute, l.asks = w.clock.Now(), maxStrangerAsk-10
	passed := 0
	for i := range 100 {
		for range 3 {
			if err := l.Take(t.Context(), r, addressed(fmt.Sprintf("192.0.2.%d", i))); err == nil {
				passed++
			} else if !fault.Is(err, fault.RateLimited) {
				t.Fatal(err)
			}
		}
	}
	if n := w.asked.Load(); n > 10 || w.rows() > 10 {
		t.Errorf("%d statements made %d rows, want 10 at most", n, w.rows())
	}
	if passed != 200 {
		t.Errorf("%d were let through, want 2 of each address", passed)
	}
	if err := l.Take(t.Context(), r, User(1)); err != nil || w.asked.Load() == 0 {
		t.Errorf("a user: %v", err)
	}
	for i := range 3 * maxWindows {
		l.Of(r, addressed(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
	}
	if n := len(l.windows); n > maxWindows {
		t.Errorf("%d windows are remembered, want %d at most", n, maxWindows)
	}
}

func TestWithoutADatabaseNothingIsLetThrough(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open("postgres://app@127.0.0.1:9/app", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = postgres.Close(db) }()
	for _, r := range Rules() {
		if err := New(db, nil).Take(t.Context(), r, User(1)); !postgres.Away(err) {
			t.Errorf("%s: %v, want that the database is away", r.Name, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(db, nil).Take(gone, Spend, User(1)); !errors.Is(err, context.Canceled) && !postgres.Away(err) {
		t.Errorf("for somebody who has left: %v", err)
	}
}

// A lease is used up by the window's end at the database, even if our clock is slow to tell.
func TestLeaseEndsWithItsWindow(t *testing.T) {
	t.Parallel()
	world := newWorld(t)
	w := New(world.db, world.clock.Now).Window("key:test", time.Minute)
	if wait, err := w.Take(t.Context(), 400); wait != 0 || err != nil {
		t.Fatalf("take: %v, %v", wait, err)
	}
	if w.left != 19 || w.until.After(world.clock.Now().Add(time.Minute)) || !w.until.After(world.clock.Now()) {
		t.Errorf("leased %d until %v from %v, want 20, one taken, for a minute at most", w.left, w.until, world.clock.Now())
	}
	world.over(Rule{Window: time.Minute})
	w.began = w.began.Add(-time.Hour)
	if wait, err := w.Take(t.Context(), 400); wait != 0 || err != nil || w.left > 19 {
		t.Errorf("the next minute: %v, %v, %d left of the lease, want 19: what was left before is gone", wait, err, w.left)
	}
}

func addressed(text string) Sender { return Address(netip.MustParseAddr(text)) }

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"}, {"192.0.2.1", "::ffff:192.0.2.1"}, {"fe80::1%eth0", "fe80::1"},
	} {
		if addressed(same[0]) != addressed(same[1]) {
			t.Errorf("%q and %q are two senders", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"2001:db8:1:2::1", "2001:db8:1:3::1"}, {"192.0.2.1", "192.0.2.2"}} {
		if addressed(other[0]) == addressed(other[1]) {
			t.Errorf("%q and %q are one sender", other[0], other[1])
		}
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	full := func(n int) map[int]bool {
		m := map[int]bool{}
		for i := range n {
			m[i] = i%4 == 0 // a quarter is of no use
		}
		return m
	}
	for _, c := range []struct{ have, most, want int }{{99, 100, 99}, {100, 100, 50}, {100, 200, 100}, {160, 100, 50}} {
		m := full(c.have)
		Trim(m, c.most, func(useless bool) bool { return useless })
		if len(m) != c.want {
			t.Errorf("%d of at most %d are trimmed to %d, want %d", c.have, c.most, len(m), c.want)
		}
	}
	m := map[int]bool{1: true, 2: true, 3: true, 4: false}
	Trim(m, 4, func(useless bool) bool { return useless })
	if _, kept := m[4]; !kept || len(m) != 1 {
		t.Errorf("trimmed to %v, want what is of use", m)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := New(w.db, w.clock.Now)
	for _, r := range []Rule{Spend, Export} {
		if err := l.Take(t.Context(), r, User(1)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := l.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept %d rows of windows that last, %v", n, err)
	}
	err := w.db.Exec(`INSERT INTO rate_windows (subject, minute, taken, granted, ends_at)
		SELECT 'old:' || n, now() - interval '1 hour', 1, 1, now() - interval '61 seconds' FROM generate_series(1, 2500) n`).Error
	if err != nil {
		t.Fatal(err)
	}
	var swept atomic.Int64
	dbtest.Concurrently(4, func(int) {
		n, err := New(w.db, nil).Sweep(t.Context())
		if err != nil {
			t.Error(err)
		}
		swept.Add(n)
	})
	if swept.Load() != 2500 || w.rows() != 2 {
		t.Errorf("swept %d rows and left %d, want 2500 and the two windows that last", swept.Load(), w.rows())
	}
}

func TestWhatIsReturnedCanBeTakenAgain(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), Rule{Name: "test", Count: 3, Window: time.Hour}
	l := New(w.db, w.clock.Now)
	n := w.within(r.Window, func(round int) (n int64) {
		s := User(int64(round))
		for range 10 {
			if err := l.Take(t.Context(), r, s); err != nil {
				t.Fatal(err)
			}
			l.Of(r, s).Return()
		}
		return drain(t, r, func(int) Sender { return s }, l)
	})
	if n != 3 {
		t.Errorf("%d were let through after ten that were returned, want 3", n)
	}
	l.Of(r, User(99)).Return() // nothing was taken
	if n := w.within(r.Window, func(round int) int64 { return drain(t, r, func(int) Sender { return User(int64(99 + round)) }, l) }); n != 3 {
		t.Errorf("%d were let through, want 3", n)
	}
}

func TestRulesAreToldApart(t *testing.T) {
	t.Parallel()
	var names []string
	for _, r := range Rules() {
		if r.Name == "" || slices.Contains(names, r.Name) || r.Count < 1 || r.Window < time.Minute || r.Window > time.Hour || r.InAll != 0 && r.InAll < r.Count {
			t.Errorf("rule %+v", r)
		}
		names = append(names, r.Name)
	}
}
