package spend

import (
	"cmp"
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
	"github.com/resume-matcher/credits/services/tracing"
)

// Time limits of the requests that wait for a batch. A request ends at its context's deadline, too.
const (
	answerTimeout = 8 * time.Second // for any request
	lockTimeout   = 4 * time.Second // for one whose user another transaction has locked, over any number of replicas
	duplicateWait = 3 * time.Second // for the first request with the same key

	// minShare is the least time that a request must have left to join a batch, which ends at the earliest deadline of
	// its requests. So no request cuts many batches short.
	minShare = 500 * time.Millisecond
)

// batcher applies operations in batches: one transaction, and so one commit and one connection, for many requests.
// Users are spread over a few workers by id; each worker runs one transaction at a time.
//
// A worker skips users whom another transaction, such as one of another replica, has locked, since its whole batch
// would wait. The operations of such a user go to the user's own queue, which waits for the lock on one connection. Its
// statements end before its requests' deadline: a lock timeout would count anew for each lock of several replicas.
//
// The row lock orders replicas; the queues only keep requests of this process from waiting for it.
type batcher struct {
	shared queues // by worker
	own    queues // by user; together they use at most as many connections as the workers
	setUp  sync.Once

	lockTimeout time.Duration // default: lockTimeout
}

// workers is the number of concurrent transactions of a process: one works while the other waits for the disk. More
// workers only make the batches smaller: on two processors four did three quarters of the work of two, and twelve half.
var workers = int64(max(2, runtime.NumCPU()))

// do applies an operation, alone or in a batch.
//
// Errors: the fault that refused the operation; fault.InProgress when a request with the same key still runs after
// duplicateWait; the error of the transaction; context.DeadlineExceeded.
func (b *batcher) do(ctx context.Context, db *gorm.DB, userID int64, key string, op ledger.Op) error {
	b.setUp.Do(func() {
		b.shared.Timeout, b.own.Timeout = duplicateWait, duplicateWait
		b.shared.apply, b.own.apply = ledger.TryApply, applyInTime
		b.own.slots = make(chan struct{}, workers)
	})
	began := time.Now()
	if _, running := b.own.Waiting(userID); !running {
		inTime, cancel := context.WithDeadline(ctx, began.Add(answerTimeout))
		defer cancel()
		err := b.shared.do(inTime, db, userID%workers, &job{user: userID, key: key, op: op})
		if !errors.Is(err, ledger.ErrLocked) {
			return err
		}
	}
	inTime, cancel := context.WithDeadline(ctx, began.Add(cmp.Or(b.lockTimeout, lockTimeout)))
	defer cancel()
	return b.own.do(inTime, db, userID, &job{user: userID, key: key, op: op})
}

// applyInTime is ledger.Apply with statements that end shortly before the deadline, so that no connection is cut.
func applyInTime(tx models.Tx, ops ...ledger.Op) error {
	if deadline, ok := tx.Statement.Context.Deadline(); ok {
		if err := postgres.LimitStatements(tx, time.Until(deadline)*9/10); err != nil {
			return err
		}
	}
	return ledger.Apply(tx, ops...)
}

// queues run jobs in one transaction at a time per queue number.
type queues struct {
	batch.Group[*job]
	apply func(models.Tx, ...ledger.Op) error
	slots chan struct{} // bounds the concurrent transactions; nil for no bound
}

// job is an operation and its result.
type job struct {
	user     int64
	key      string // the user's caller and idempotency key; empty without one
	op       ledger.Op
	deadline time.Time
	err      error

	request, batch tracing.Reference // the span that waits for the job, and that of its batch
}

// The results of a job whose batch panicked, and of one whose batch ended at the deadline of another.
var (
	errUnfinished = errors.New("transaction not finished")
	errCutShort   = errors.New("transaction ended at the deadline of another request")
)

// do runs a job in a transaction, alone or in a batch, until the deadline of ctx.
func (q *queues) do(ctx context.Context, db *gorm.DB, number int64, j *job) error {
	var limited bool
	if j.deadline, limited = ctx.Deadline(); !limited {
		j.deadline = time.Now().Add(answerTimeout)
	}
	for {
		j.err, j.request = errUnfinished, tracing.Of(ctx)
		if err := q.Do(ctx, number, j, j.giveUp, func(jobs []*job) { q.run(ctx, db, jobs) }); err != nil {
			return err
		}
		tracing.Current(ctx).Link(j.batch)
		if !errors.Is(j.err, errCutShort) {
			return j.err
		}
	}
}

// giveUp returns a conflict if a job with the same key is ahead.
func (j *job) giveUp(ahead []*job) error {
	if j.key == "" ||
		!slices.ContainsFunc(ahead, func(other *job) bool { return other.user == j.user && other.key == j.key }) {
		return nil
	}
	return fault.InProgress()
}

// run applies the operations of a batch and sets the result of each job. If the database refuses the whole transaction
// because of one of them, it runs each in its own transaction.
func (q *queues) run(ctx context.Context, db *gorm.DB, jobs []*job) {
	ready, deadline := dismissLate(jobs)
	if len(ready) == 0 {
		return
	}
	finished := 0
	defer func() { // after a panic, which rolled back its transaction
		for _, j := range ready[finished:] {
			j.err = errUnfinished
		}
	}()
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	ctx, span := tracing.Child(ctx, "batch")
	for _, j := range jobs {
		span.Link(j.request)
		j.batch = tracing.Of(ctx)
	}
	defer span.End(nil)
	release, err := q.acquireSlot(ctx)
	defer release()
	if err == nil {
		err = q.commit(ctx, db, ready)
	}
	oneByOne := len(ready) > 1 && postgres.Refused(err)
	cut := postgres.TimedOut(err) && !postgres.OutcomeUnknown(err)
	for _, j := range ready {
		switch {
		case oneByOne:
			if e := q.commit(ctx, db, []*job{j}); e != nil {
				j.err = e
			}
		case cut && j.deadline.After(deadline):
			j.err = errCutShort
		case err != nil:
			j.err = err
		}
		finished++
	}
}

// dismissLate refuses the jobs that have too little time left, and returns the others with the earliest deadline.
func dismissLate(jobs []*job) (ready []*job, earliest time.Time) {
	for _, j := range jobs {
		if len(jobs) > 1 && time.Until(j.deadline) < minShare {
			j.err = fmt.Errorf("wait for other requests: %w", context.DeadlineExceeded)
			continue
		}
		if ready = append(ready, j); earliest.IsZero() || j.deadline.Before(earliest) {
			earliest = j.deadline
		}
	}
	return ready, earliest
}

// acquireSlot waits for a free slot.
func (q *queues) acquireSlot(ctx context.Context) (release func(), err error) {
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
// Locks: the users. Errors: of the transaction, postgres.UnknownError among them; faults are stored in the jobs.
func (q *queues) commit(ctx context.Context, db *gorm.DB, jobs []*job) error {
	ops := make([]ledger.Op, len(jobs))
	for i, j := range jobs {
		ops[i] = j.op
	}
	apply := func(tx models.Tx) error { return q.apply(tx, ops...) }
	if err := postgres.Confirmed(ctx, db, apply, ledger.Applied(ops...)); err != nil {
		return err
	}
	for _, j := range jobs {
		j.err = j.op.Err()
	}
	return nil
}
