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

// clock is a clock that the test moves.
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

// fixture is a database and its replicas.
type fixture struct {
	t       *testing.T
	db      *gorm.DB
	clock   *clock
	queries atomic.Int64
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, db: dbtest.New(t), clock: &clock{at: time.Now()}}
	if err := f.db.Callback().Row().Before("gorm:row").Register("count", func(*gorm.DB) { f.queries.Add(1) }); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) replicas(n int) []*Limiter {
	all := make([]*Limiter, n)
	for i := range all {
		all[i] = New(f.db, f.clock.Now)
	}
	return all
}

func (f *fixture) rows() (n int64) {
	f.t.Helper()
	if err := f.db.Raw(`SELECT count(*) FROM rate_windows`).Scan(&n).Error; err != nil {
		f.t.Fatal(err)
	}
	return n
}

// inOneWindow repeats work until it ran within one window of the database's clock, and returns its last result.
func (f *fixture) inOneWindow(window time.Duration, work func(round int) int64) int64 {
	f.t.Helper()
	began := func() (at time.Time) {
		if err := f.db.Raw(`SELECT date_bin(make_interval(secs => ?), clock_timestamp(), timestamptz 'epoch')`,
			window.Seconds()).Scan(&at).Error; err != nil {
			f.t.Fatal(err)
		}
		return at
	}
	for round := 0; ; round++ {
		before := began()
		n := work(round)
		if began().Equal(before) || f.t.Failed() {
			return n
		}
	}
}

// endWindows ends every window, for the database and the replicas.
func (f *fixture) endWindows(r Rule) {
	f.t.Helper()
	if err := f.db.Exec(
		`UPDATE rate_windows SET minute = minute - interval '2 hours', ends_at = ends_at - interval '2 hours'`).Error; err != nil {
		f.t.Fatal(err)
	}
	f.clock.Add(r.Window)
}

// exhaust repeats an action from twenty goroutines until each is refused, and returns how often it was allowed.
func exhaust(t *testing.T, r Rule, s func(n int) Sender, replicas ...*Limiter) int64 {
	t.Helper()
	var n atomic.Int64
	dbtest.Concurrently(20, func(i int) {
		for {
			switch err := replicas[i%len(replicas)].Allow(t.Context(), r, s(i)); {
			case err == nil:
				n.Add(1)
			case fault.Is(err, fault.RateLimited):
				return
			default:
				t.Errorf("Allow = %v", err)
				return
			}
		}
	})
	return n.Load()
}

func TestLimitIsExactOverReplicas(t *testing.T) {
	t.Parallel()
	for _, r := range []Rule{{Name: "one", Count: 1, Window: time.Minute}, {Name: "few", Count: 7, Window: time.Minute},
		{Name: "hourly", Count: 10, Window: time.Hour}, {Name: "daily", Count: 20, Window: 24 * time.Hour},
		{Name: "many", Count: 120, Window: time.Minute}} {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			n := f.inOneWindow(r.Window, func(round int) int64 {
				return exhaust(t, r, func(int) Sender { return User(int64(round)) }, f.replicas(3)...)
			})
			if n != int64(r.Count) {
				t.Errorf("allowed %d actions, want %d", n, r.Count)
			}
		})
	}
}

func TestEachSenderAndRuleHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	f, r := newFixture(t), Rule{Name: "test", Count: 3, Window: time.Hour}
	l := New(f.db, f.clock.Now)
	f.inOneWindow(r.Window, func(round int) int64 {
		exhaust(t, r, func(int) Sender { return User(int64(round)) }, l)
		for _, other := range []Sender{User(100 + int64(round)), addressed("192.0.2.1")} {
			if err := l.Allow(t.Context(), r, other); err != nil {
				t.Errorf("another sender: error = %v, want none", err)
			}
		}
		if err := l.Allow(t.Context(), Rule{Name: "other", Count: 1, Window: time.Hour}, User(int64(round))); err != nil &&
			round == 0 {
			t.Errorf("another rule: error = %v, want none", err)
		}
		return 0
	})
}

func TestRefusalsNeedNoQuery(t *testing.T) {
	t.Parallel()
	f, r := newFixture(t), Rule{Name: "test", Count: 5, Window: time.Hour}
	l := New(f.db, f.clock.Now)
	f.inOneWindow(r.Window,
		func(round int) int64 { return exhaust(t, r, func(int) Sender { return User(int64(round)) }, l) })
	before := f.queries.Load()
	for range 100 {
		err := l.Allow(t.Context(), r, User(0))
		f := fault.Of(err)
		if f == nil || f.Code != fault.RateLimited {
			t.Fatalf("error = %v, want rate_limited", err)
		}
		if wait, _ := f.Detail["retryAfter"].(int); wait < 1 || wait > 3600 {
			t.Fatalf("retryAfter = %v, want 1 to 3600 seconds", f.Detail)
		}
	}
	if n := f.queries.Load() - before; n != 0 {
		t.Errorf("100 refusals ran %d queries, want 0", n)
	}
	f.endWindows(r)
	if err := l.Allow(t.Context(), r, User(0)); err != nil {
		t.Errorf("in the next window: error = %v, want none", err)
	}
}

// InAll bounds the sum over all senders, however many they are.
func TestInAllBoundsTheSumOverAllSenders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	n := f.inOneWindow(time.Hour, func(round int) int64 {
		r := Rule{Name: fmt.Sprint("test", round), Count: 20, Window: time.Hour, InAll: 50}
		return exhaust(t, r, func(i int) Sender { return addressed(fmt.Sprintf("192.0.2.%d", i)) }, f.replicas(3)...)
	})
	if n != 50 {
		t.Errorf("allowed %d actions, want 50", n)
	}
}

// An IPv6 site has 65,536 networks; all together they use an eighth of InAll.
func TestAnIPv6SiteUsesAnEighth(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	n := f.inOneWindow(time.Hour, func(round int) int64 {
		r := Rule{Name: fmt.Sprint("test", round), Count: 20, Window: time.Hour, InAll: 8 * 25}
		replicas := f.replicas(3)
		allowed := func(site string) int64 {
			return exhaust(t, r, func(i int) Sender { return addressed(fmt.Sprintf("%s:%x::1", site, i)) }, replicas...)
		}
		return 1000*allowed("2001:db8:1") + allowed("2001:db8:2")
	})
	if n != 25_025 {
		t.Errorf("one site and then another did %d and %d of 200 actions, want 25 each", n/1000, n%1000)
	}
}

// Anonymous senders cause a bounded number of queries a minute, however many addresses they have, and no address is
// refused because of the others.
func TestAnonymousSendersCauseABoundedNumberOfQueries(t *testing.T) {
	t.Parallel()
	f, r := newFixture(t), Rule{Name: "test", Count: 2, Window: time.Minute}
	l := New(f.db, f.clock.Now)
	l.minute, l.queries = f.clock.Now(), maxAnonymousQueries-10
	allowed := 0
	for i := range 100 {
		for range 3 {
			if err := l.Allow(t.Context(), r, addressed(fmt.Sprintf("192.0.2.%d", i))); err == nil {
				allowed++
			} else if !fault.Is(err, fault.RateLimited) {
				t.Fatal(err)
			}
		}
	}
	if n := f.queries.Load(); n > 10 || f.rows() > 10 {
		t.Errorf("%d queries inserted %d rows, want at most 10 each", n, f.rows())
	}
	if allowed != 200 {
		t.Errorf("allowed %d actions, want 200: 2 of each address", allowed)
	}
	if err := l.Allow(t.Context(), r, User(1)); err != nil || f.queries.Load() == 0 {
		t.Errorf("a user: error = %v after %d queries, want none, and a query", err, f.queries.Load())
	}
	for i := range 3 * maxWindows {
		l.WindowOf(r, addressed(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
	}
	if n := len(l.windows); n > maxWindows {
		t.Errorf("%d windows in memory, want at most %d", n, maxWindows)
	}
}

func TestNothingIsAllowedWithoutADatabase(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open("postgres://app@127.0.0.1:9/app", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = postgres.Close(db) }()
	for _, r := range Rules() {
		if err := New(db, nil).Allow(t.Context(), r, User(1)); !postgres.Away(err) {
			t.Errorf("%s: error = %v, want an unreachable database", r.Name, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(db, nil).Allow(gone, Spend, User(1)); !errors.Is(err, context.Canceled) && !postgres.Away(err) {
		t.Errorf("a canceled request: error = %v, want canceled or unreachable", err)
	}
}

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

func addressed(text string) Sender { return Address(netip.MustParseAddr(text)) }

func TestAddressesOfOneSubscriberAreOneSender(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"}, {"192.0.2.1", "::ffff:192.0.2.1"}, {"fe80::1%eth0", "fe80::1"},
	} {
		if addressed(same[0]) != addressed(same[1]) {
			t.Errorf("%q and %q are two senders, want one", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"2001:db8:1:2::1", "2001:db8:1:3::1"}, {"192.0.2.1", "192.0.2.2"}} {
		if addressed(other[0]) == addressed(other[1]) {
			t.Errorf("%q and %q are one sender, want two", other[0], other[1])
		}
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
	err := f.db.Exec(`INSERT INTO rate_windows (subject, minute, taken, granted, ends_at)
		SELECT 'old:' || n, now() - interval '1 hour', 1, 1, now() - interval '61 seconds' FROM generate_series(1, 2500) n`).Error
	if err != nil {
		t.Fatal(err)
	}
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

func TestRulesHaveUniqueNamesAndSaneBounds(t *testing.T) {
	t.Parallel()
	var names []string
	for _, r := range Rules() {
		if r.Name == "" || slices.Contains(names, r.Name) || r.Count < 1 || r.Window < time.Minute || r.Window > time.Hour ||
			r.InAll != 0 && r.InAll < r.Count {
			t.Errorf("rule %+v: want a unique name, a count, a window of a minute to an hour, and InAll above the count", r)
		}
		names = append(names, r.Name)
	}
}
