package spend_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/spend"
)

// While a transaction of one user runs, further requests queue. The next transaction runs them in order, and each gets
// its own answer.
func TestRequestsOfOneUserShareATransaction(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 200)
	ctx := context.Background()
	var requests sync.WaitGroup
	var done, refused atomic.Int64
	err := postgres.Transaction(ctx, db, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, user); err != nil { // as another replica does
			return err
		}
		for i := range 50 {
			requests.Go(func() {
				_, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: fmt.Sprint(i)})
				switch {
				case err == nil:
					done.Add(1)
				case fault.Is(err, fault.InsufficientCredits):
					refused.Add(1)
				default:
					t.Errorf("spend: %v", err)
				}
			})
		}
		dbtest.WaitForBlocked(t, db, 1)
		var connections int64
		if err := db.Raw(
			`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(
			&connections).Error; err != nil {
			return err
		}
		if connections != 1 {
			t.Errorf("%d connections wait for the user, want 1", connections)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	requests.Wait()
	if done.Load() != 40 || refused.Load() != 10 {
		t.Errorf("%d spends worked and %d were refused, want 40 and 10", done.Load(), refused.Load())
	}
	var transactions int64
	if err := db.Raw(`SELECT count(DISTINCT xmin::text) FROM credit_transactions WHERE reason = 'job_match'`).
		Scan(&transactions).Error; err != nil || transactions > 10 {
		t.Errorf("the spends ran in %d transactions (%v), want at most 10", transactions, err)
	}
	dbtest.CheckLedger(t, db)
}

// A repeat waits for the first request's answer for a bounded time. A waiter that times out does not affect the others.
func TestRepeatWhileTheFirstIsRunning(t *testing.T) {
	t.Parallel()
	s, db, user := setUp(t, 100)
	ctx := context.Background()
	first := make(chan error, 1)
	err := postgres.Transaction(ctx, db, func(tx models.Tx) error {
		if _, err := ledger.Lock(tx, user); err != nil {
			return err
		}
		go func() {
			_, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: "k"})
			first <- err
		}()
		dbtest.WaitForBlocked(t, db, 1)
		impatient, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if _, err := s.Spend(impatient, spend.Request{UserID: user, Feature: "job_match",
			Key: "other"}); !postgres.Away(err) {
			t.Errorf("request that gave up: error = %v, want a time-out", err)
		}
		_, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: "k"})
		if f := fault.Of(err); f == nil || f.Code != fault.Conflict || f.Problem != fault.StillRunning ||
			f.Detail["retryAfter"] == nil {
			t.Errorf("repeat: error = %v, want a conflict with a retry time", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Errorf("first request: %v", err)
	}
	if again, err := s.Spend(ctx, spend.Request{UserID: user, Feature: "job_match", Key: "k"}); err != nil ||
		!again.Replayed || again.BalanceAfter != 95 {
		t.Errorf("repeat after it = %+v, %v; want its answer", again, err)
	}
	dbtest.CheckLedger(t, db)
}
