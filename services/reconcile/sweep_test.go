package reconcile_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// asked returns the number of lists that were requested of Stripe.
func (f *fixture) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

// sweep moves the clock and sweeps on twenty replicas at once. It returns whether a purchase waits.
func (f *fixture) sweep(later time.Duration) (waiting bool) {
	f.t.Helper()
	f.clock = f.clock.Add(later)
	var waits [20]bool
	dbtest.Concurrently(20, func(i int) {
		var err error
		if waits[i], err = f.Sweep(f.t.Context()); err != nil {
			f.t.Errorf("sweep: %v", err)
		}
	})
	return waits[0]
}

// paidNow is paid, with a session that Stripe created just now.
func (f *fixture) paidNow(n int) {
	f.paid(n)
	f.lists["/v1/checkout/sessions"][0]["created"] = f.clock.Unix()
}

// Payments whose events never come are booked within fifteen minutes, once, by one request to Stripe of one replica.
func TestSweepBooksPaymentsWithoutEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if f.sweep(time.Hour); f.asked() != 0 {
		t.Errorf("%d requests without a purchase, want none", f.asked())
	}
	f.clock = f.clock.Add(-time.Hour)
	f.paidNow(1)
	f.paidNow(2)
	if waiting := f.sweep(time.Minute); !waiting || f.asked() != 0 {
		t.Errorf("after a minute: waiting %t, %d requests; want true, and none while the events may come", waiting,
			f.asked())
	}
	f.sweep(5 * time.Minute)
	f.wantBalance(2400)
	var letters int64
	if err := f.DB.Raw(`SELECT count(*) FROM letters WHERE kind = 'operator_silence'`).Scan(&letters).Error; err != nil || letters != 1 {
		t.Errorf("%d letters about the missing events (%v), want one", letters, err)
	}
	if f.asked() != 1 {
		t.Errorf("%d requests of twenty replicas, want 1", f.asked())
	}
	if waiting := f.sweep(5 * time.Minute); waiting || f.asked() != 1 {
		t.Errorf("with nothing left: waiting %t, %d requests; want false, and no further one", waiting, f.asked())
	}
}

// A payment right after a sweep is booked fifteen minutes later at the latest: by then the job is due, and sweeps.
func TestSweepIsDueWithinFifteenMinutes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	job := f.Jobs()[0]
	due := func() (at *time.Time) {
		t.Helper()
		if err := f.DB.Raw(`SELECT `+job.Due, job.Args).Row().Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	if at := due(); at != nil {
		t.Errorf("a sweep is due at %s without a purchase, want none", at)
	}
	f.paidNow(1)
	f.lists = map[string][]map[string]any{} // its buyer hesitates
	f.sweep(3 * time.Minute)
	swept := f.clock
	f.paidNow(2)
	if at := due(); f.asked() != 1 || at == nil || !at.After(swept) || at.After(swept.Add(15*time.Minute)) {
		t.Errorf("%d sweeps and the next due at %v, want 1 and the next within 15 minutes of %s", f.asked(), at, swept)
	}
	f.sweep(15 * time.Minute)
	f.wantBalance(1200)
}

// An event that is still on its way is not missing, though its payment is booked at once.
func TestSweepReportsMissingEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var missing atomic.Int64
	f.OnEventMissing = func() { missing.Add(1) }
	for n, age := range map[int]time.Duration{1: 4 * time.Minute, 2: 10 * time.Second} {
		f.paidNow(n)
		f.lists["/v1/checkout/sessions"][0]["payment_intent"] = map[string]any{"id": fmt.Sprintf("pi_%d", n),
			"object": "payment_intent", "created": f.clock.Add(5*time.Minute - age).Unix()}
	}
	f.sweep(5 * time.Minute)
	f.wantBalance(2400)
	if got := missing.Load(); got != 1 {
		t.Errorf("%d events reported as missing, want 1: the other was due for 10 s", got)
	}
}

func TestSweepTriesAgainWhenStripeIsAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paidNow(1)
	f.clock = f.clock.Add(5 * time.Minute)
	f.failWith = func(string, int) int { return http.StatusBadRequest }
	if waiting, err := f.Sweep(t.Context()); err == nil || !waiting {
		t.Errorf("waiting %t, error %v; want true and an error", waiting, err)
	}
	f.failWith = nil
	f.sweep(time.Minute)
	f.wantBalance(1200)
}

// A purchase that can no longer be paid keeps no database awake.
func TestSweepLeavesOldPurchasesAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	if waiting := f.sweep(26 * time.Hour); waiting || f.asked() != 0 {
		t.Errorf("waiting %t, %d requests; want false and none", waiting, f.asked())
	}
	f.wantBalance(0)
}
