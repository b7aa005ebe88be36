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
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/lane"
	"github.com/resume-matcher/credits/services/ledger"
)

// Limits of what is booked together.
const (
	laneBudget   = 8 * time.Second // for one transaction, whoever's request began it
	keyPatience  = 3 * time.Second // how long a repeat waits for the first request with its key
	retryRunning = 1               // seconds after which the repeat may ask again
)

// counter books what is asked of users' credits. There are few tellers, each with one transaction at a time; what comes
// meanwhile waits for the next and is booked together then, in the order in which it came: one write to the disk and
// one connection for all of it. So it is fast when many ask at once, and a busy user costs little.
//
// A teller never waits for a user whom somebody else keeps locked, such as another replica: the others in the same
// transaction would wait with it. The requests of such a user go to a lane of the user's own and wait there, on one connection.
//
// The row lock still decides between replicas; the counter only spares the requests of this process the waiting for it.
type counter struct {
	tellers lanes // by a number that users share
	own     lanes // by user; all of them together take no more connections than the tellers
	ready   sync.Once
}

// tellers is how many transactions a process books in at once: a second one works while the first waits for the disk.
// More of them only share the requests out, into smaller ones: on two processors four tellers did three quarters of what
// two did, and twelve half.
var tellers = int64(max(2, runtime.NumCPU()))

// errLocked says that somebody else keeps the user locked.
var errLocked = errors.New("the user is locked")

// do does what is asked of a user's credits, alone or with what others ask.
//
// Errors: what the ask returned; fault.Conflict when a request with the same key was still running after three seconds;
// what kept the transaction from being committed.
func (c *counter) do(ctx context.Context, db *gorm.DB, userID int64, key string, ask ledger.Ask) error {
	c.ready.Do(func() {
		c.tellers.Patience, c.own.Patience = keyPatience, keyPatience
		c.own.slots = make(chan struct{}, tellers)
	})
	if _, busy := c.own.Waiting(userID); !busy {
		err := c.tellers.do(ctx, db, userID%tellers, &job{user: userID, key: key, ask: ask, polite: true})
		if !errors.Is(err, errLocked) {
			return err
		}
	}
	return c.own.do(ctx, db, userID, &job{user: userID, key: key, ask: ask})
}

// lanes are queues of requests, each booked by one transaction at a time.
type lanes struct {
	lane.Lanes[*job]
	slots chan struct{} // as many as may be booked in at once; nil for no limit
}

// job is one request. What it asks is done again when its transaction has to be. A fault that comes of it is its own
// answer: it has written nothing, and the others go on.
type job struct {
	user   int64
	key    string // caller and idempotency key, of the user; empty without one
	polite bool   // not to be done while somebody else keeps the user locked
	ask    ledger.Ask
	err    error
}

// errUnfinished is what a job's request gets when the one that led it came to no end.
var errUnfinished = errors.New("the transaction was not finished")

// do runs a job in a transaction, alone or with others of the lane.
func (l *lanes) do(ctx context.Context, db *gorm.DB, number int64, j *job) error {
	j.err = errUnfinished
	if err := l.Do(ctx, number, j, j.late, func(batch []*job) { l.lead(ctx, db, batch) }); err != nil {
		return err
	}
	return j.err
}

// late has a job wait no longer behind another with its key.
func (j *job) late(before []*job) error {
	if j.key == "" || !slices.ContainsFunc(before, func(other *job) bool { return other.user == j.user && other.key == j.key }) {
		return nil
	}
	return &fault.Error{Code: fault.Conflict, Problem: fault.StillRunning, Detail: map[string]any{"retryAfter": retryRunning}}
}

// lead books the jobs and leaves each with its answer.
func (l *lanes) lead(ctx context.Context, db *gorm.DB, batch []*job) {
	ended := 0     // jobs that have their answer
	defer func() { // also after a panic: nobody must be told of what was undone
		for _, j := range batch[ended:] {
			j.err = errUnfinished
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), laneBudget)
	defer cancel()
	release, err := l.room(ctx)
	defer release()
	if err == nil {
		err = together(ctx, db, batch)
	}
	alone := len(batch) > 1 && models.Refused(err) // one of them is the culprit, and only that one must fail
	for _, j := range batch {
		switch {
		case alone:
			if e := together(ctx, db, []*job{j}); e != nil {
				j.err = e
			}
		case err != nil && !errors.Is(j.err, errLocked):
			j.err = err
		}
		ended++
	}
}

// room waits until the lanes may take another connection of the pool.
func (l *lanes) room(ctx context.Context) (release func(), err error) {
	if l.slots == nil {
		return func() {}, nil
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots }, nil
	case <-ctx.Done():
		return func() {}, fmt.Errorf("wait for a connection: %w", ctx.Err())
	}
}

// together does what the jobs ask in one transaction: first what is certain of it all at once, then the rest one by one.
// Locks: the users of the jobs. Errors: what kept it from being committed; the faults of the jobs stay with them.
func together(ctx context.Context, db *gorm.DB, batch []*job) error {
	return models.Transaction(ctx, db, func(tx *gorm.DB) error {
		if len(batch) == 1 && !batch[0].polite {
			return answer(tx, batch[0])
		}
		batch, err := lock(tx, batch)
		if err != nil {
			return err
		}
		asks := make([]ledger.Ask, len(batch))
		for i, j := range batch {
			asks[i] = j.ask
		}
		done, err := ledger.Together(tx, asks)
		if err != nil {
			return err
		}
		for i, j := range batch {
			if done[i] {
				continue
			}
			if err := answer(tx, j); err != nil {
				return err
			}
		}
		return nil
	})
}

// answer does what one job asks.
func answer(tx *gorm.DB, j *job) error {
	if j.err = j.ask.Alone(tx); fault.Of(j.err) == nil {
		return j.err
	}
	return nil
}

// lock locks the users of the jobs, without waiting for those of polite ones, and returns the jobs that have theirs
// locked. The others get their answer: that somebody else keeps the user locked.
func lock(tx *gorm.DB, batch []*job) ([]*job, error) {
	users := make([]int64, len(batch))
	for i, j := range batch {
		j.err, users[i] = nil, j.user
	}
	locked, err := ledger.LockAll(tx, users, batch[0].polite)
	if err != nil {
		return nil, err
	}
	ready := make([]*job, 0, len(batch))
	for _, j := range batch {
		switch {
		case slices.Contains(locked, j.user):
			ready = append(ready, j)
		case j.polite:
			j.err = errLocked // or there is no such user, which the next attempt will say
		default:
			j.err = fault.New(fault.NotFound, nil)
		}
	}
	return ready, nil
}
