package spend

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
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

// tellers is how many transactions a process books in at once: enough to keep the processors busy while some of them
// wait for the disk.
var tellers = int64(max(4, 2*runtime.NumCPU()))

// errLocked says that somebody else keeps the user locked.
var errLocked = errors.New("the user is locked")

// do runs work in a transaction in which its user is locked or will be, alone or with others.
//
// Errors: what work returned; fault.Conflict when a request with the same key was still running after three seconds;
// what kept the transaction from being committed.
func (c *counter) do(ctx context.Context, db *gorm.DB, userID int64, key string, work func(tx *gorm.DB) error) error {
	c.ready.Do(func() { c.own.slots = make(chan struct{}, tellers) })
	if !c.own.has(userID) {
		err := c.tellers.do(ctx, db, userID%tellers, &job{user: userID, key: key, work: work, polite: true})
		if !errors.Is(err, errLocked) {
			return err
		}
	}
	return c.own.do(ctx, db, userID, &job{user: userID, key: key, work: work})
}

// lanes are queues of requests, each booked by one transaction at a time.
type lanes struct {
	slots chan struct{} // as many as may be booked in at once; nil for no limit
	mu    sync.Mutex
	busy  map[int64]*lane
}

// has reports whether something is being booked in a lane.
func (l *lanes) has(number int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy[number] != nil
}

// lane is one of the queues.
type lane struct {
	running []*job
	waiting []*job
}

// job is one request. It runs again when its transaction has to, so it does nothing outside the database. A fault that
// it returns is its own answer: it has written nothing, and the others go on.
type job struct {
	user   int64
	key    string // caller and idempotency key, of the user; empty without one
	polite bool   // not to be done while somebody else keeps the user locked
	work   func(tx *gorm.DB) error
	err    error
	turn   chan []*job // the jobs that it is to lead; nil: it has been done
}

// errUnfinished is what a job's request gets when the one that led it came to no end.
var errUnfinished = errors.New("the transaction was not finished")

// do runs a job in a transaction, alone or with others of the lane.
func (l *lanes) do(ctx context.Context, db *gorm.DB, number int64, j *job) error {
	j.err = errUnfinished
	batch := l.enter(number, j)
	if batch == nil {
		var err error
		if batch, err = l.wait(ctx, number, j); batch == nil {
			return err
		}
	}
	l.lead(ctx, db, number, batch)
	return j.err
}

// enter begins the lane with j, or puts j at its end and returns nil.
func (l *lanes) enter(number int64, j *job) []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[number]
	if q != nil {
		j.turn = make(chan []*job, 1)
		q.waiting = append(q.waiting, j)
		return nil
	}
	if l.busy == nil {
		l.busy = map[int64]*lane{}
	}
	batch := []*job{j}
	l.busy[number] = &lane{running: batch}
	return batch
}

// wait returns the jobs to lead when it is j's turn to lead, and none when j has been done, or is not to be.
func (l *lanes) wait(ctx context.Context, number int64, j *job) ([]*job, error) {
	patience := time.NewTimer(keyPatience)
	defer patience.Stop()
	for {
		select {
		case batch := <-j.turn:
			return batch, j.err
		case <-patience.C:
			if l.leave(number, j, func(q *lane) bool { return q.ahead(j) }) {
				return nil, &fault.Error{Code: fault.Conflict, Problem: fault.StillRunning, Detail: map[string]any{"retryAfter": retryRunning}}
			}
		case <-ctx.Done():
			if l.leave(number, j, func(*lane) bool { return true }) {
				return nil, fmt.Errorf("wait for other requests: %w", ctx.Err())
			}
			batch := <-j.turn // it is being booked: the transaction has an end of its own
			return batch, j.err
		}
	}
}

// leave takes j out of its lane where it still waits and may go.
func (l *lanes) leave(number int64, j *job, may func(*lane) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[number]
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
	return slices.ContainsFunc(before, func(other *job) bool { return other.user == j.user && other.key == j.key })
}

// lead books the jobs, answers those of others, and hands the lane on.
func (l *lanes) lead(ctx context.Context, db *gorm.DB, number int64, batch []*job) {
	ended := 0     // jobs that have their answer
	defer func() { // also after a panic: nobody must wait for ever, or be told of what was undone
		for _, j := range batch[ended:] {
			j.err = errUnfinished
		}
		for _, j := range batch[1:] {
			j.turn <- nil
		}
		l.next(number)
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

// together runs the jobs in one transaction.
// Errors: what kept it from being committed; the faults of the jobs stay with them.
func together(ctx context.Context, db *gorm.DB, batch []*job) error {
	return models.Transaction(ctx, db, func(tx *gorm.DB) error {
		if err := lockPolitely(tx, batch); err != nil {
			return err
		}
		for _, j := range batch {
			if errors.Is(j.err, errLocked) {
				continue
			}
			if j.err = j.work(tx); j.err != nil && fault.Of(j.err) == nil {
				return j.err
			}
		}
		return nil
	})
}

// lockPolitely locks the users of the jobs that must not wait for them, and tells those jobs whose user is not to be had.
// Locks: the users that nobody else has locked.
func lockPolitely(tx *gorm.DB, batch []*job) error {
	var users []string
	var free []int64
	for _, j := range batch {
		if j.err = nil; j.polite {
			users = append(users, strconv.FormatInt(j.user, 10))
		}
	}
	if len(users) == 0 {
		return nil
	}
	err := tx.Raw(`SELECT id FROM users WHERE id = ANY (string_to_array(?, ',')::int[]) FOR UPDATE SKIP LOCKED`, strings.Join(users, ",")).Scan(&free).Error
	if err != nil {
		return fmt.Errorf("lock the users of %d requests: %w", len(batch), err)
	}
	for _, j := range batch {
		if j.polite && !slices.Contains(free, j.user) { // or there is no such user, which the next attempt will say
			j.err = errLocked
		}
	}
	return nil
}

// next lets the first of those that wait lead them all, or ends the lane.
func (l *lanes) next(number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[number]
	n := min(len(q.waiting), laneBatch)
	if n == 0 {
		delete(l.busy, number)
		return
	}
	q.running = q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	q.running[0].turn <- q.running
}
