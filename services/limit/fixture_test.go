package limit

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
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

func addressed(text string) Sender { return Address(netip.MustParseAddr(text)) }
