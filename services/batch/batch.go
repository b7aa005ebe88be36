// Package batch groups concurrent jobs: while one batch runs, new jobs queue and run together in the next (group commit).
package batch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxJobs is how many jobs a batch has at most.
const maxJobs = 64

// Group is a set of queues, by number. Each queue runs one batch at a time, its jobs in the order in which they arrived.
// The zero value is ready.
type Group[J any] struct {
	// Timeout is how long a job waits before its giveUp is asked whether to wait on. Zero means that none is asked.
	Timeout time.Duration

	mu     sync.Mutex
	queues map[int64]*queue[J] // those with a batch that runs
}

type queue[J any] struct{ running, waiting []*entry[J] }

// entry is a job in a queue. Its channel gets the batch that it is to run, or nil when its batch has run.
type entry[J any] struct {
	job  J
	turn chan []*entry[J]
}

// Do runs a job, alone or in a batch: one of the callers calls its run for all jobs of the batch, the others wait for
// it to return, or to panic. Whether a job succeeded is for run to report.
//
// giveUp may be nil. It gets the jobs that run or wait ahead.
// Errors: when the job left the queue and did not run: the one that giveUp returned, or that of ctx.
func (g *Group[J]) Do(ctx context.Context, number int64, job J, giveUp func(ahead []J) error, run func([]J)) error {
	e := &entry[J]{job: job, turn: make(chan []*entry[J], 1)}
	batch := g.enqueue(number, e)
	if batch == nil {
		var err error
		if batch, err = g.wait(ctx, number, e, giveUp); batch == nil {
			return err
		}
	}
	defer func() {
		for _, other := range batch[1:] {
			other.turn <- nil
		}
		g.next(number)
	}()
	run(jobs(batch))
	return nil
}

// Waiting returns how many jobs wait in a queue, and whether a batch of it runs.
func (g *Group[J]) Waiting(number int64) (n int, running bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[number]
	if q == nil {
		return 0, false
	}
	return len(q.waiting), true
}

// enqueue starts the queue with a batch of e, or appends e to the running queue and returns nil.
func (g *Group[J]) enqueue(number int64, e *entry[J]) []*entry[J] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if q := g.queues[number]; q != nil {
		q.waiting = append(q.waiting, e)
		return nil
	}
	if g.queues == nil {
		g.queues = map[int64]*queue[J]{}
	}
	batch := []*entry[J]{e}
	g.queues[number] = &queue[J]{running: batch}
	return batch
}

// wait returns the batch that e is to run. It returns nil when e's batch has run, or when e has left the queue.
func (g *Group[J]) wait(ctx context.Context, number int64, e *entry[J], giveUp func([]J) error) ([]*entry[J], error) {
	var timeout <-chan time.Time
	if g.Timeout > 0 && giveUp != nil {
		timer := time.NewTimer(g.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	for {
		select {
		case batch := <-e.turn:
			return batch, nil
		case <-timeout:
			if err := g.remove(number, e, giveUp); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			canceled := func([]J) error { return fmt.Errorf("wait for other requests: %w", ctx.Err()) }
			if err := g.remove(number, e, canceled); err != nil {
				return nil, err
			}
			return <-e.turn, nil // its batch runs, under a deadline of its own
		}
	}
}

// remove takes e out of its queue if it still waits there and reason returns an error, which it returns.
func (g *Group[J]) remove(number int64, e *entry[J], reason func(ahead []J) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[number]
	if q == nil {
		return nil
	}
	i := slices.Index(q.waiting, e)
	if i < 0 {
		return nil
	}
	err := reason(append(jobs(q.running), jobs(q.waiting[:i])...))
	if err != nil {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return err
}

// next hands the waiting jobs to the first of them as a batch, or ends the queue.
func (g *Group[J]) next(number int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[number]
	n := min(len(q.waiting), maxJobs)
	if n == 0 {
		delete(g.queues, number)
		return
	}
	q.running, q.waiting = q.waiting[:n:n], q.waiting[n:]
	q.running[0].turn <- q.running
}

func jobs[J any](entries []*entry[J]) []J {
	list := make([]J, len(entries))
	for i, e := range entries {
		list[i] = e.job
	}
	return list
}
