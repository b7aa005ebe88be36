package metrics

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/resume-matcher/credits/models"
)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Twenty scrapers at once cost one reading, and so do those of the next seconds. A slow reading is repeated later.
func TestFiguresAreReadOnceInAWhile(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	reads, takes := 0, time.Duration(0)
	f := &figures{now: c.read, read: func(context.Context) (models.Figures, error) {
		reads++
		c.move(takes)
		return models.Figures{}, nil
	}}
	scrape := func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { testutil.CollectAndCount(f) })
		}
		all.Wait()
	}
	for _, step := range []struct {
		later, takes time.Duration
		want         int
	}{
		{0, 0, 1},
		{4 * time.Second, 0, 1},
		{time.Second, time.Second, 2}, // takes a second, so the next is due in twenty
		{19 * time.Second, 0, 2},
		{time.Second, 0, 3},
	} {
		c.move(step.later)
		takes = step.takes
		if scrape(); reads != step.want {
			t.Errorf("%d readings, want %d", reads, step.want)
		}
	}
}

// A database that does not answer is said so, instead of old figures.
func TestUnreadableFigures(t *testing.T) {
	t.Parallel()
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	var failure error
	f := &figures{now: c.read, read: func(ctx context.Context) (models.Figures, error) {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("the reading has no time limit")
		}
		return models.Figures{Totals: models.LedgerTotals{Purchased: 500}}, failure
	}}
	check := func(want string) {
		t.Helper()
		if err := testutil.CollectAndCompare(f, strings.NewReader(want), "credits_figures_up", "credits_sold"); err != nil {
			t.Error(err)
		}
	}
	const up = "# HELP credits_figures_up 1 if the figures of the database could be read, else 0.\n" +
		"# TYPE credits_figures_up gauge\ncredits_figures_up "
	check(up + "1\n# HELP credits_sold Credits from purchases.\n# TYPE credits_sold gauge\ncredits_sold 500\n")
	failure = errors.New("no answer")
	c.move(time.Minute)
	check(up + "0\n")
}

// The names, types and help texts follow Prometheus' conventions, as promtool check metrics tests them.
func TestNamesFollowTheConventions(t *testing.T) {
	t.Parallel()
	r := New(Options{Version: "v1", Mode: "test", Pool: sql.OpenDB(nil), Now: time.Now,
		Figures: func(context.Context) (models.Figures, error) {
			ended := time.Unix(1, 0)
			return models.Figures{Reconciled: &ended, Waiting: []models.WaitingFigure{{Kind: models.WaitingEvent}}}, nil
		}, Problems: func(context.Context) map[string]bool { return map[string]bool{"database_away": true} }})
	r.Request("GET", "/", 200, time.Second)
	r.Refusal("not_found")
	r.EventRefused("time")
	r.Gate("POST /api/v1/resumes/upload", "charged")
	problems, err := testutil.GatherAndLint(r.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	(*Recorder)(nil).Request("GET", "/", 200, 0) // counts nothing
}
