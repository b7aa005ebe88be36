package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

func TestExportSumsToTheBalanceWhileTwentySpend(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	user := dbtest.User(t, db, "ada@example.com")
	lengthen(t, db, user.ID, 2500, "2026-01-31 20:00:00+00") // three batches
	mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: 1000, Reason: models.ReasonManual})
	e, err := s.Export(t.Context(), user.ID, ledger.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var spenders sync.WaitGroup
	for range 20 {
		spenders.Go(func() {
			if _, err := post(t, db, ledger.Entry{UserID: user.ID, Delta: -10,
				Reason: models.ReasonResumeAnalysis}); err != nil {
				t.Error(err)
			}
		})
	}
	var sum models.Credits
	entries := 0
	for {
		batch, err := e.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			break
		}
		for _, entry := range batch {
			sum += entry.DeltaCredits
			entries++
		}
		if entries == 1000 {
			spenders.Wait() // all spends are posted before the second batch is read
		}
	}
	spenders.Wait()
	if sum != 1007 || entries != 2502 {
		t.Errorf("%d entries sum to %d credits, want 2502 and 1007, the balance at the start", entries, sum)
	}
	if got := balance(t, db, user.ID); got != 807 {
		t.Errorf("balance = %d credits, want 807", got)
	}
}

func TestOneExportOfAUserAtATime(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	replicas := []*ledger.Service{{DB: db}, {DB: db}}
	ada, eve := dbtest.User(t, db, "ada@example.com"), dbtest.User(t, db, "eve@example.com")
	t.Run("refuses a second export on another replica", func(t *testing.T) {
		e, err := replicas[0].Export(t.Context(), ada.ID, ledger.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = replicas[1].Export(t.Context(), ada.ID, ledger.Filter{})
		if f := fault.Of(err); f == nil || f.Code != fault.RateLimited || f.Detail["retryAfter"] == nil {
			t.Errorf("a second export: %v, want rate_limited", err)
		}
		other, err := replicas[1].Export(t.Context(), eve.ID, ledger.Filter{})
		if err != nil {
			t.Fatalf("of another user: %v", err)
		}
		other.Close()
		e.Close()
		e.Close() // closing twice is harmless
	})
	t.Run("runs twenty concurrent exports one after the other", func(t *testing.T) {
		var open, done atomic.Int32
		dbtest.Concurrently(20, func(i int) {
			e, err := replicas[i%2].Export(context.Background(), ada.ID, ledger.Filter{})
			if fault.Is(err, fault.RateLimited) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if open.Add(1) > 1 {
				t.Error("two exports of one user are open")
			}
			if _, err := e.Next(); err != nil {
				t.Error(err)
			}
			done.Add(1)
			open.Add(-1)
			e.Close()
		})
		if done.Load() == 0 {
			t.Error("0 of 20 exports were made, want at least 1")
		}
	})
	t.Run("leaves no export open when the database refuses the text", func(t *testing.T) {
		for range 10 {
			if _, err := replicas[0].Export(t.Context(), ada.ID, ledger.Filter{Text: "\x00"}); err == nil ||
				errors.Is(err, gorm.ErrRecordNotFound) || fault.Of(err) != nil {
				t.Fatalf("%v, want an error of the database", err)
			}
		}
	})
}

func TestExportsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &ledger.Service{DB: db}
	var open []*ledger.Export
	for i := range 3 {
		e, err := s.Export(t.Context(), dbtest.User(t, db, fmt.Sprintf("%d@example.com", i)).ID, ledger.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, e)
	}
	late := dbtest.User(t, db, "late@example.com")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Export(gone, late.ID, ledger.Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: error = %v, want canceled", err)
	}
	turn := make(chan error)
	go func() {
		e, err := s.Export(t.Context(), late.ID, ledger.Filter{})
		if err == nil {
			e.Close()
		}
		turn <- err
	}()
	open[0].Close()
	if err := <-turn; err != nil {
		t.Errorf("the fourth, once one was closed: %v", err)
	}
	open[1].Close()
	open[2].Close()
}
