// Package batch groups concurrent jobs: while one batch runs, new jobs queue and run together in the next (group
// commit).
package batch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxJobs bounds the jobs of a batch.
const maxJobs = 64

// Group is a set of numbered queues. Each queue runs one batch at a time, with its jobs in order of arrival.
// The zero value is ready.
type Group[J any] struct {
	// Timeout is how long a job waits before Do calls its giveUp. Zero means never.
	Timeout time.Duration

	mu     sync.Mutex
	queues map[int64]*queue[J] // only running queues
}

type queue[J any] struct{ running, waiting []*entry[J] }

// entry is a job in a queue. turn receives the batch that its goroutine must run, or nil once another one has run it.
type entry[J any] struct {
	job  J
	turn chan []*entry[J]
}

// Do runs a job, alone or in a batch: one caller calls its run for all jobs of the batch, and the others wait until
// that returns or panics. run reports the result of each job itself.
//
// giveUp may be nil. It gets the jobs that are running or waiting ahead, and takes the job out of the queue by
// returning an error.
// Errors: that of giveUp or ctx, when the job left the queue without running.
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

// Waiting returns how many jobs wait in a queue, and whether it runs a batch.
func (g *Group[J]) Waiting(number int64) (n int, running bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[number]
	if q == nil {
		return 0, false
	}
	return len(q.waiting), true
}

// Refuse takes the waiting jobs out of a queue. result gives each its result; its Do then returns nil.
func (g *Group[J]) Refuse(number int64, result func(J)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[number]
	if q == nil {
		return
	}
	for _, e := range q.waiting {
		result(e.job)
		e.turn <- nil
	}
	q.waiting = nil
}

// enqueue starts the queue with e and returns the batch, or appends e to a running queue and returns nil.
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

// wait returns the batch that the caller must run, or nil once e's batch has run or e has left the queue.
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
			return <-e.turn, nil // its batch runs already, with its own deadline
		}
	}
}

// remove takes e out of the queue if it still waits and reason returns an error; it returns that error.
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

// next hands the waiting jobs as a batch to the first of them, or ends the queue.
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
