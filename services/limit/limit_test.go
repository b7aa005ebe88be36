package limit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

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
		others := []Sender{User(100 + int64(round)), addressed("192.0.2.1")}
		for network := range r.Count + 1 { // of one site, which has no limit of its own without InAll
			others = append(others, addressed(fmt.Sprintf("2001:db8:%x:%x::1", round, network)))
		}
		for _, other := range others {
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
	if n := f.queries.Load(); n != 10 || f.rows() > 10 {
		t.Errorf("%d queries inserted %d rows, want 10, and at most 10", n, f.rows())
	}
	if allowed != 200 {
		t.Errorf("allowed %d actions, want 200: 2 of each address", allowed)
	}
	if err := l.Allow(t.Context(), r, User(1)); err != nil || f.queries.Load() == 0 {
		t.Errorf("a user: error = %v after %d queries, want none, and a query", err, f.queries.Load())
	}
	before := f.queries.Load()
	for i, c := range []struct {
		wait time.Duration
		want int64 // queries since
	}{{time.Minute - time.Nanosecond, 0}, {time.Nanosecond, 1}} {
		f.clock.Add(c.wait)
		other := addressed(fmt.Sprintf("198.51.100.%d", i))
		err := l.Allow(t.Context(), r, other)
		if wait := l.WindowOf(r, other).RetryAfter(); wait != 0 {
			t.Errorf("%s later: retry after %s with an action left, want at once", c.wait, wait)
		}
		if n := f.queries.Load() - before; err != nil || n != c.want {
			t.Errorf("%s later: error = %v after %d queries, want none after %d", c.wait, err, n, c.want)
		}
	}
}

// Windows in memory are bounded. Those that are in use stay.
func TestWindowsInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	r, now := Rule{Name: "test", Count: 2, Window: time.Minute}, time.Now()
	l := New(nil, func() time.Time { return now })
	locked := l.WindowOf(r, User(1))
	unlock, err := locked.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for i := range 3 * maxWindows {
		l.WindowOf(r, addressed(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
	}
	if n := len(l.windows); n > maxWindows {
		t.Errorf("%d windows in memory, want at most %d", n, maxWindows)
	}
	if l.WindowOf(r, User(1)) != locked {
		t.Error("the locked window was evicted, want it kept")
	}
}

func TestNothingIsAllowedWithoutADatabase(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open("postgres://app@127.0.0.1:9/app", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = postgres.Close(db) }()
	for _, r := range []Rule{SignIn, WrongKey, Spend} {
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

// Rules of one name would share their windows.
func TestRulesHaveUniqueNamesAndSaneBounds(t *testing.T) {
	t.Parallel()
	rules := []Rule{SignIn, SignInReturn, WrongKey, Checkout, Refund, Receipt, Poll, Spend, Account, Export, HistoryFile,
		AdminWrite, Reconcile, DeniedLine}
	source, err := os.ReadFile("rule.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), "= Rule{"); n != len(rules) {
		t.Errorf("rule.go has %d rules, of which this test knows %d", n, len(rules))
	}
	var names []string
	for _, r := range rules {
		if r.Name == "" || slices.Contains(names, r.Name) || r.Count < 1 || r.Window < time.Minute || r.Window > time.Hour ||
			r.InAll != 0 && r.InAll < r.Count {
			t.Errorf("rule %+v: want a unique name, a count, a window of a minute to an hour, and InAll above the count", r)
		}
		names = append(names, r.Name)
	}
}
