package spend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Limits of a lane.
const (
	laneBatch    = 64              // requests booked in one transaction
	laneBudget   = 8 * time.Second // for that transaction, whoever's request began it
	keyPatience  = 3 * time.Second // how long a repeat waits for the first request with its key
	retryRunning = 1               // seconds after which the repeat may ask again
)

// lanes lets the requests of one user that come while another of theirs is being booked wait for it and then be booked
// together, in the order in which they came: one transaction, one lock, one write to the disk for all of them. So a
// busy user costs little and takes up one connection of the pool, never all of them.
//
// The row lock still decides between replicas; a lane only spares those of this process the waiting for it.
type lanes struct {
	mu   sync.Mutex
	busy map[int64]*lane // by user
}

// lane is one user's requests.
type lane struct {
	running []*job
	waiting []*job
}

// job is one request. It runs again when its transaction has to, so it does nothing outside the database. A fault that
// it returns is its own answer: it has written nothing, and the others go on.
type job struct {
	key  string // owner and idempotency key; empty without one
	work func(tx *gorm.DB) error
	err  error
	turn chan []*job // the jobs that it is to lead; nil: it has been done
}

// errUnfinished is what a job's request gets when the one that led it came to no end.
var errUnfinished = errors.New("the transaction was not finished")

// do runs work in a transaction, alone or with others of the same user.
//
// Locks: none of its own while the transaction runs. Errors: what work returned; fault.Conflict when a request with the
// same key was still running after three seconds; what kept the transaction from being committed.
func (l *lanes) do(ctx context.Context, db *gorm.DB, userID int64, key string, work func(tx *gorm.DB) error) error {
	j := &job{key: key, work: work, err: errUnfinished}
	batch := l.enter(userID, j)
	if batch == nil {
		var err error
		if batch, err = l.wait(ctx, userID, j); batch == nil {
			return err
		}
	}
	l.lead(ctx, db, userID, batch)
	return j.err
}

// enter begins the user's lane with j, or puts j at its end and returns nil.
func (l *lanes) enter(userID int64, j *job) []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[userID]
	if q != nil {
		j.turn = make(chan []*job, 1)
		q.waiting = append(q.waiting, j)
		return nil
	}
	if l.busy == nil {
		l.busy = map[int64]*lane{}
	}
	batch := []*job{j}
	l.busy[userID] = &lane{running: batch}
	return batch
}

// wait returns the jobs to lead when it is j's turn to lead, and none when j has been done, or is not to be.
func (l *lanes) wait(ctx context.Context, userID int64, j *job) ([]*job, error) {
	patience := time.NewTimer(keyPatience)
	defer patience.Stop()
	for {
		select {
		case batch := <-j.turn:
			return batch, j.err
		case <-patience.C:
			if l.leave(userID, j, func(q *lane) bool { return q.ahead(j) }) {
				return nil, &fault.Error{Code: fault.Conflict, Problem: fault.StillRunning, Detail: map[string]any{"retryAfter": retryRunning}}
			}
		case <-ctx.Done():
			if l.leave(userID, j, func(*lane) bool { return true }) {
				return nil, fmt.Errorf("wait for the user's other requests: %w", ctx.Err())
			}
			batch := <-j.turn // it is being booked: the transaction has an end of its own
			return batch, j.err
		}
	}
}

// leave takes j out of its lane where it still waits and may go.
func (l *lanes) leave(userID int64, j *job, may func(*lane) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[userID]
	if q == nil {
		return false
	}
	i := slices.Index(q.waiting, j)
	if i < 0 || !may(q) {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// ahead reports whether a job with j's key runs or waits before it.
func (q *lane) ahead(j *job) bool {
	if j.key == "" {
		return false
	}
	before := append(slices.Clone(q.running), q.waiting[:slices.Index(q.waiting, j)]...)
	return slices.ContainsFunc(before, func(other *job) bool { return other.key == j.key })
}

// lead books the jobs, answers those of others, and hands the lane on.
func (l *lanes) lead(ctx context.Context, db *gorm.DB, userID int64, batch []*job) {
	defer func() { // also after a panic: the others must not wait for ever
		for _, j := range batch[1:] {
			j.turn <- nil
		}
		l.next(userID)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), laneBudget)
	defer cancel()
	err := together(ctx, db, batch)
	if err == nil {
		return
	}
	for _, j := range batch {
		if j.err = err; len(batch) > 1 && models.Refused(err) { // one of them is the culprit, and only that one must fail
			j.err = errUnfinished
			if e := together(ctx, db, []*job{j}); e != nil {
				j.err = e
			}
		}
	}
}

// together runs the jobs in one transaction.
// Errors: what kept it from being committed; the faults of the jobs stay with them.
func together(ctx context.Context, db *gorm.DB, batch []*job) error {
	return models.Transaction(ctx, db, func(tx *gorm.DB) error {
		for _, j := range batch {
			if err := j.work(tx); err != nil && fault.Of(err) == nil {
				return err
			} else {
				j.err = err
			}
		}
		return nil
	})
}

// next lets the first of those that wait lead them all, or ends the lane.
func (l *lanes) next(userID int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[userID]
	n := min(len(q.waiting), laneBatch)
	if n == 0 {
		delete(l.busy, userID)
		return
	}
	q.running = q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	q.running[0].turn <- q.running
}
