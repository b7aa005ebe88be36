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

// Time limits of a batch and of the requests that wait for one. A request also ends at its context's deadline.
const (
	batchTimeout  = 8 * time.Second         // for one transaction
	lockTimeout   = 3500 * time.Millisecond // for a user whom another transaction has locked, over all replicas
	duplicateWait = 3 * time.Second         // for the first request with the same key

	// minShare is the least time that a request must have left to join a batch, which ends at the earliest deadline of
	// its requests. So no request cuts many batches short.
	minShare = 500 * time.Millisecond
)

// batcher applies operations in batches: one transaction, and so one commit and one connection, for many requests.
// Users are spread over a few workers by id; each worker runs one transaction at a time.
//
// A worker skips users whom another transaction, such as one of another replica, has locked, since its whole batch
// would wait. The operations of such a user go to the user's own queue, which waits for the lock on one connection.
// When its statement has waited for lockTimeout, every request of that user is refused, also those that wait behind it.
// (A lock timeout of the database would count anew for each lock of several replicas.)
//
// The row lock orders replicas; the queues only keep requests of this process from waiting for it.
type batcher struct {
	shared queues // by worker
	own    queues // by user; together they use at most twice as many connections as the workers
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
		b.shared.apply, b.own.apply = ledger.TryApply, b.applyInTime
		b.own.slots = make(chan struct{}, 2*workers)
	})
	if _, running := b.own.Waiting(userID); !running {
		err := b.shared.do(ctx, db, userID%workers, &job{user: userID, key: key, op: op})
		if !errors.Is(err, ledger.ErrLocked) {
			return err
		}
	}
	return b.own.do(ctx, db, userID, &job{user: userID, key: key, op: op})
}

// errStuck says that another transaction has held the lock of a user for lockTimeout. It wraps the error of the
// statement.
var errStuck = errors.New("user is locked for long")

// applyInTime is ledger.Apply with statements that end after lockTimeout.
// Errors: errStuck.
func (b *batcher) applyInTime(tx models.Tx, ops ...ledger.Op) error {
	if err := postgres.LimitStatements(tx, cmp.Or(b.lockTimeout, lockTimeout)); err != nil {
		return err
	}
	err := ledger.Apply(tx, ops...)
	if postgres.TimedOut(err) && tx.Statement.Context.Err() == nil {
		err = fmt.Errorf("%w: %w", errStuck, err)
	}
	return err
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
	deadline time.Time // zero for none
	err      error

	request, batch tracing.Reference // the span that waits for the job, and that of its batch
}

// The results of a job whose batch panicked, and of one whose batch ended at the deadline of another.
var (
	errUnfinished = errors.New("transaction not finished")
	errCutShort   = errors.New("transaction ended at the deadline of another request")
)

func (j *job) stuck() bool { return errors.Is(j.err, errStuck) }

// do runs a job in a transaction, alone or in a batch, until the deadline of ctx.
func (q *queues) do(ctx context.Context, db *gorm.DB, number int64, j *job) error {
	j.deadline, _ = ctx.Deadline()
	for {
		j.err, j.request = errUnfinished, tracing.Of(ctx)
		if err := q.Do(ctx, number, j, j.giveUp, func(jobs []*job) {
			q.run(ctx, db, jobs)
			if i := slices.IndexFunc(jobs, (*job).stuck); i >= 0 {
				q.Refuse(number, func(behind *job) { behind.err = jobs[i].err })
			}
		}); err != nil {
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
	ready, earliest := dismissLate(jobs)
	if len(ready) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	if !earliest.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, earliest)
		defer cancel()
	}
	finished := 0
	defer func() { // after a panic, which rolled back its transaction
		for _, j := range ready[finished:] {
			j.err = errUnfinished
		}
	}()
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
	cut := postgres.TimedOut(err) && !postgres.OutcomeUnknown(err) && !errors.Is(err, errStuck)
	for _, j := range ready {
		switch {
		case oneByOne:
			if e := q.commit(ctx, db, []*job{j}); e != nil {
				j.err = e
			}
		case cut && !earliest.IsZero() && (j.deadline.IsZero() || j.deadline.After(earliest)):
			j.err = errCutShort
		case err != nil:
			j.err = err
		}
		finished++
	}
}

// dismissLate refuses the jobs that have too little time left, and returns the others with their earliest deadline, if
// any has one.
func dismissLate(jobs []*job) (ready []*job, earliest time.Time) {
	for _, j := range jobs {
		limited := !j.deadline.IsZero()
		if limited && len(jobs) > 1 && time.Until(j.deadline) < minShare {
			j.err = fmt.Errorf("wait for other requests: %w", context.DeadlineExceeded)
			continue
		}
		if ready = append(ready, j); limited && (earliest.IsZero() || j.deadline.Before(earliest)) {
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
