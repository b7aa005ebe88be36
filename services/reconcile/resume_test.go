package reconcile_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/reconcile"
)

func TestReconcilePagesAndResumes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 250 {
		f.paid(n)
	}
	f.failWith = func(_ string, call int) int { // the third page
		if call == 3 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	if _, err := f.Once(t.Context()); err == nil {
		t.Fatal("reconcile returned no error, want one: Stripe refused a page")
	}
	f.wantBalance(200 * 1200)
	last, err := f.Last(t.Context(), 0, 1000)
	if err != nil || last.FinishedAt != nil || last.LastError != models.CauseStripe.Of("503") || last.Cursor != "cs_50" {
		t.Fatalf("run = %+v, %v; want it stopped after cs_50 by status 503", last, err)
	}
	if r := f.reconcile(); len(r.Findings) != 250 || r.ID != last.ID {
		t.Errorf("run %d has %d findings, want run %d with 250", r.ID, len(r.Findings), last.ID)
	}
	f.wantBalance(250 * 1200)
	want := []string{
		"/v1/checkout/sessions", "/v1/checkout/sessions cs_150", "/v1/checkout/sessions cs_50", "/v1/refunds", "/v1/disputes",
	}
	if !slices.Equal(slices.Compact(f.requests), want) {
		t.Errorf("requests = %q, want %q", f.requests, want)
	}
}

func TestReconcileRestartsAStepWhoseCursorIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 101 {
		f.paid(n)
	}
	f.failWith = func(_ string, call int) int {
		if call == 2 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	if _, err := f.Once(t.Context()); err == nil {
		t.Fatal("reconcile returned no error, want one: Stripe refused a page")
	}
	const path = "/v1/checkout/sessions"
	f.lists[path] = slices.DeleteFunc(f.lists[path], func(o map[string]any) bool { return o["id"] == "cs_1" })
	f.reconcile()
	f.wantBalance(101 * 1200)
}

func TestReconcileRetriesARefusedRequest(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusBadGateway} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.paid(1)
			f.failWith = func(_ string, call int) int {
				if call <= 1 {
					return status
				}
				return 0
			}
			f.reconcile()
			f.wantBalance(1200)
		})
	}
}

func TestReconcileResumesAfterStripeIsUnavailable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	f.failWith = func(string, int) int { return http.StatusServiceUnavailable }
	ctx, cancel := context.WithTimeout(t.Context(), dbtest.HangTimeout)
	defer cancel()
	if _, err := f.Once(ctx); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("reconcile = %v, want unavailable", err)
	}
	f.wantBalance(0)
	f.failWith = nil
	f.reconcile()
	f.wantBalance(1200)
}

func TestConcurrentReconcilesRunOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 40 {
		f.paid(n)
	}
	var mu sync.Mutex
	done, busy := 0, 0
	dbtest.Concurrently(20, func(int) {
		report, err := f.Once(t.Context())
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			done += len(report.Findings)
		case errors.Is(err, reconcile.ErrRunning):
			busy++
		default:
			t.Errorf("reconcile: %v", err)
		}
	})
	if done != 40 {
		t.Errorf("%d findings of all runs, want 40; %d runs returned ErrRunning", done, busy)
	}
	f.wantBalance(40 * 1200)
}

func TestReconcileTakesOverAnExpiredLease(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	err := f.DB.Exec(
		`INSERT INTO reconciliations (since, step, holder, leased_until, started_at) VALUES (?, 'refunds', gen_random_uuid(), ?, ?)`,
		f.clock.Add(-24*time.Hour), f.clock.Add(time.Minute), f.clock).Error
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Once(t.Context()); !errors.Is(err, reconcile.ErrRunning) {
		t.Fatalf("reconcile = %v, want ErrRunning", err)
	}
	f.clock = f.clock.Add(2 * time.Minute)
	f.reconcile() // finishes the abandoned run, from its refunds step
	f.wantBalance(0)
	f.reconcile()
	f.wantBalance(1200)
}
