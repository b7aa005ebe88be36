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
	"github.com/resume-matcher/credits/services/lane"
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
	c.ready.Do(func() {
		c.tellers.Patience, c.own.Patience = keyPatience, keyPatience
		c.own.slots = make(chan struct{}, tellers)
	})
	if _, busy := c.own.Waiting(userID); !busy {
		err := c.tellers.do(ctx, db, userID%tellers, &job{user: userID, key: key, work: work, polite: true})
		if !errors.Is(err, errLocked) {
			return err
		}
	}
	return c.own.do(ctx, db, userID, &job{user: userID, key: key, work: work})
}

// lanes are queues of requests, each booked by one transaction at a time.
type lanes struct {
	lane.Lanes[*job]
	slots chan struct{} // as many as may be booked in at once; nil for no limit
}

// job is one request. It runs again when its transaction has to, so it does nothing outside the database. A fault that
// it returns is its own answer: it has written nothing, and the others go on.
type job struct {
	user   int64
	key    string // caller and idempotency key, of the user; empty without one
	polite bool   // not to be done while somebody else keeps the user locked
	work   func(tx *gorm.DB) error
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
