package spend

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/ledger"
)

// A panic rolls back its whole batch: every request in it returns an error, and the queue continues.
func TestPanicInABatch(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com").ID
	grant := func() *ledger.PostOp {
		return &ledger.PostOp{Entry: ledger.Entry{UserID: user, Delta: 1, Reason: models.ReasonManual}}
	}
	first, mistake, begun, proceed := ledger.Op(grant()), ledger.Op(grant()), make(chan struct{}), make(chan struct{})
	var q queues
	q.apply = func(tx models.Tx, ops ...ledger.Op) error {
		err := ledger.Apply(tx, ops...)
		if slices.Contains(ops, first) {
			close(begun)
			<-proceed
		}
		if slices.Contains(ops, mistake) {
			panic("on purpose")
		}
		return err
	}
	var requests sync.WaitGroup
	requests.Go(func() {
		if err := q.do(context.Background(), db, 1, &job{user: user, op: first}); err != nil {
			t.Errorf("the first request: %v", err)
		}
	})
	<-begun
	errs := make([]error, 4)
	for i := range errs {
		requests.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					errs[i] = errUnfinished
				}
			}()
			op := ledger.Op(grant())
			if i == 2 {
				op = mistake
			}
			errs[i] = q.do(context.Background(), db, 1, &job{user: user, op: op})
		})
	}
	for queued := 0; queued < len(errs); {
		queued, _ = q.Waiting(1)
	}
	close(proceed)
	requests.Wait()
	for i, err := range errs {
		if !errors.Is(err, errUnfinished) {
			t.Errorf("request %d: error = %v, want unfinished", i, err)
		}
	}
	if err := q.do(context.Background(), db, 1, &job{user: user, op: grant()}); err != nil {
		t.Errorf("the queue is stuck: %v", err)
	}
	if _, running := q.Waiting(1); running {
		t.Error("the queue does not end")
	}
	var row models.User
	if err := db.Take(&row, user).Error; err != nil || row.CreditsBalance != 2 {
		t.Errorf("balance = %d credits (%v), want 2: the batch with the panic wrote nothing", row.CreditsBalance, err)
	}
}

// A batch ends at the earliest deadline of its requests. Those with a later one join the next batch.
func TestBatchEndsAtTheEarliestDeadlineOfItsRequests(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com").ID
	grant := func() ledger.Op {
		return &ledger.PostOp{Entry: ledger.Entry{UserID: user, Delta: 1, Reason: models.ReasonManual}}
	}
	before, impatient, begun, proceed := grant(), grant(), make(chan struct{}), make(chan struct{})
	var q queues
	q.apply = func(tx models.Tx, ops ...ledger.Op) error {
		switch {
		case slices.Contains(ops, before):
			close(begun)
			<-proceed
		case slices.Contains(ops, impatient):
			<-tx.Statement.Context.Done()
			return tx.Statement.Context.Err()
		}
		return ledger.Apply(tx, ops...)
	}
	var requests sync.WaitGroup
	do := func(op ledger.Op, limit time.Duration, late bool) {
		requests.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if err := q.do(ctx, db, 1, &job{user: user, op: op}); errors.Is(err, context.DeadlineExceeded) != late {
				t.Errorf("request with %s: %v, want a time-out: %t", limit, err, late)
			}
		})
	}
	do(before, dbtest.HangTimeout, false)
	<-begun
	do(impatient, time.Second, true)
	do(grant(), dbtest.HangTimeout, false)
	for queued := 0; queued == 0; { // until one waits, with the other or after it has left
		queued, _ = q.Waiting(1)
	}
	close(proceed)
	requests.Wait()
	var row models.User
	if err := db.Take(&row, user).Error; err != nil || row.CreditsBalance != 2 {
		t.Errorf("balance = %d credits (%v), want 2 of the two patient requests", row.CreditsBalance, err)
	}
}
