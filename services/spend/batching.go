package spend

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/batch"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// Limits of a batch and of those who wait for one.
const (
	batchTimeout  = 8 * time.Second // for one transaction, whoever's request began it
	duplicateWait = 3 * time.Second // for the first request with the same key
	retryAfter    = 1               // seconds after which a duplicate may ask again
)

// batcher applies operations on users' credits in batches, each in one transaction: one commit and one connection for
// many requests. There are few workers, each with one transaction at a time; a worker takes the users whose ids it shares.
//
// A worker skips users whom another transaction has locked, such as one of another replica, since the whole batch would
// wait with it. The operations of such a user go to a queue of the user's own, which waits for the lock on one connection.
//
// The row lock decides between replicas; the queues only spare the requests of this process waiting for it.
type batcher struct {
	shared queues // by worker
	own    queues // by user; all of them together take no more connections than the workers
	setUp  sync.Once
}

// workers is how many transactions a process runs at once: a second one works while the first waits for the disk. More
// only make the batches smaller: on two processors four workers did three quarters of what two did, and twelve half.
var workers = int64(max(2, runtime.NumCPU()))

// do applies an operation, alone or in a batch.
//
// Errors: the fault that refused the operation; fault.Conflict when a request with the same key was still running after
// duplicateWait; the error that kept the transaction from committing.
func (b *batcher) do(ctx context.Context, db *gorm.DB, userID int64, key string, op ledger.Op) error {
	b.setUp.Do(func() {
		b.shared.Timeout, b.own.Timeout = duplicateWait, duplicateWait
		b.shared.apply, b.own.apply = ledger.TryApply, ledger.Apply
		b.own.slots = make(chan struct{}, workers)
	})
	if _, running := b.own.Waiting(userID); !running {
		err := b.shared.do(ctx, db, userID%workers, &job{user: userID, key: key, op: op})
		if !errors.Is(err, ledger.ErrLocked) {
			return err
		}
	}
	return b.own.do(ctx, db, userID, &job{user: userID, key: key, op: op})
}

// queues run the jobs of one number in one transaction at a time.
type queues struct {
	batch.Group[*job]
	apply func(models.Tx, ...ledger.Op) error
	slots chan struct{} // as many as may run a transaction at once; nil for no limit
}

// job is an operation and what became of it.
type job struct {
	user int64
	key  string // the user's caller and idempotency key; empty without one
	op   ledger.Op
	err  error
}

// errUnfinished is the result of a job whose batch did not come to an end.
var errUnfinished = errors.New("the transaction was not finished")

// do runs a job in a transaction, alone or in a batch.
func (q *queues) do(ctx context.Context, db *gorm.DB, number int64, j *job) error {
	j.err = errUnfinished
	if err := q.Do(ctx, number, j, j.giveUp, func(jobs []*job) { q.run(ctx, db, jobs) }); err != nil {
		return err
	}
	return j.err
}

// giveUp ends the wait of a job behind another with its key.
func (j *job) giveUp(ahead []*job) error {
	if j.key == "" || !slices.ContainsFunc(ahead, func(other *job) bool { return other.user == j.user && other.key == j.key }) {
		return nil
	}
	return &fault.Error{Code: fault.Conflict, Problem: fault.StillRunning, Detail: map[string]any{"retryAfter": retryAfter}}
}

// run applies the operations of a batch and sets the result of each job. Where the database refuses the whole
// transaction because of one of them, each gets a transaction of its own.
func (q *queues) run(ctx context.Context, db *gorm.DB, jobs []*job) {
	finished := 0
	defer func() { // also after a panic: its transaction was rolled back
		for _, j := range jobs[finished:] {
			j.err = errUnfinished
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	leave, err := q.enter(ctx)
	defer leave()
	if err == nil {
		err = q.commit(ctx, db, jobs)
	}
	oneByOne := len(jobs) > 1 && postgres.Refused(err)
	for _, j := range jobs {
		switch {
		case oneByOne:
			if e := q.commit(ctx, db, []*job{j}); e != nil {
				j.err = e
			}
		case err != nil:
			j.err = err
		}
		finished++
	}
}

// enter waits until another transaction may run.
func (q *queues) enter(ctx context.Context) (leave func(), err error) {
	if q.slots == nil {
		return func() {}, nil
	}
	select {
	case q.slots <- struct{}{}:
		return func() { <-q.slots }, nil
	case <-ctx.Done():
		return func() {}, fmt.Errorf("wait for a connection: %w", ctx.Err())
	}
}

// commit applies the operations in one transaction.
//
// Locks: the users. Errors: the error that kept the transaction from committing; the faults are in the jobs.
func (q *queues) commit(ctx context.Context, db *gorm.DB, jobs []*job) error {
	ops := make([]ledger.Op, len(jobs))
	for i, j := range jobs {
		ops[i] = j.op
	}
	if err := postgres.Transaction(ctx, db, func(tx models.Tx) error { return q.apply(tx, ops...) }); err != nil {
		return err
	}
	for _, j := range jobs {
		j.err = j.op.Err()
	}
	return nil
}
