// Package lane lets requests that come at the same time be done together. It knows nothing of what they are.
package lane

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// batch is how many jobs are done together at most.
const batch = 64

// Lanes are queues of jobs, by number. In each, one batch is done at a time; what comes meanwhile waits for the next and
// is done together then, in the order in which it came. The zero value is ready.
type Lanes[J any] struct {
	Patience time.Duration // after which a job that waits is asked whether to go on; 0 to ask nobody

	mu   sync.Mutex
	busy map[int64]*queue[J]
}

// queue is one of the lanes.
type queue[J any] struct{ running, waiting []*ticket[J] }

// ticket is a job's place in its lane.
type ticket[J any] struct {
	job  J
	turn chan []*ticket[J] // those that it is to lead; nil: it has been done
}

// Do does a job, alone or with others of the lane: one of their requests calls lead for all of them. Nobody waits for
// ever, also when lead panics; what became of the jobs is for lead to say.
//
// Errors: when the job left before it was its turn, and nothing was done for it: what late says of those that run or wait
// before it, once Patience is over; the end of ctx.
func (l *Lanes[J]) Do(ctx context.Context, number int64, job J, late func(before []J) error, lead func([]J)) error {
	t := &ticket[J]{job: job, turn: make(chan []*ticket[J], 1)}
	led := l.enter(number, t)
	if led == nil {
		var err error
		if led, err = l.wait(ctx, number, t, late); led == nil {
			return err
		}
	}
	defer func() {
		for _, other := range led[1:] {
			other.turn <- nil
		}
		l.next(number)
	}()
	lead(jobs(led))
	return nil
}

// Waiting returns how many jobs wait in a lane, and whether anything is being done in it.
func (l *Lanes[J]) Waiting(number int64) (n int, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[number]
	if q == nil {
		return 0, false
	}
	return len(q.waiting), true
}

// enter begins the lane with t, or puts t at its end and returns nil.
func (l *Lanes[J]) enter(number int64, t *ticket[J]) []*ticket[J] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q := l.busy[number]; q != nil {
		q.waiting = append(q.waiting, t)
		return nil
	}
	if l.busy == nil {
		l.busy = map[int64]*queue[J]{}
	}
	led := []*ticket[J]{t}
	l.busy[number] = &queue[J]{running: led}
	return led
}

// wait returns those to lead when it is t's turn to lead, and none when t has been done, or has left.
func (l *Lanes[J]) wait(ctx context.Context, number int64, t *ticket[J], late func([]J) error) ([]*ticket[J], error) {
	var patience <-chan time.Time
	if l.Patience > 0 && late != nil {
		timer := time.NewTimer(l.Patience)
		defer timer.Stop()
		patience = timer.C
	}
	for {
		select {
		case led := <-t.turn:
			return led, nil
		case <-patience:
			if err := l.leave(number, t, late); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			end := func([]J) error { return fmt.Errorf("wait for other requests: %w", ctx.Err()) }
			if err := l.leave(number, t, end); err != nil {
				return nil, err
			}
			return <-t.turn, nil // it is being done, and that has an end of its own
		}
	}
}

// leave takes t out of its lane, where it still waits and why gives a reason.
func (l *Lanes[J]) leave(number int64, t *ticket[J], why func(before []J) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[number]
	if q == nil {
		return nil
	}
	i := slices.Index(q.waiting, t)
	if i < 0 {
		return nil
	}
	err := why(append(jobs(q.running), jobs(q.waiting[:i])...))
	if err != nil {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return err
}

// next lets the first of those that wait lead them, or ends the lane.
func (l *Lanes[J]) next(number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.busy[number]
	n := min(len(q.waiting), batch)
	if n == 0 {
		delete(l.busy, number)
		return
	}
	q.running, q.waiting = q.waiting[:n:n], q.waiting[n:]
	q.running[0].turn <- q.running
}

func jobs[J any](tickets []*ticket[J]) []J {
	list := make([]J, len(tickets))
	for i, t := range tickets {
		list[i] = t.job
	}
	return list
}
