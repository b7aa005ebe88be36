package batch_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/services/batch"
)

// hold starts a queue with a job that runs until the returned function is called.
func hold(t *testing.T, g *batch.Group[int], number int64) (end func()) {
	t.Helper()
	begun, stop, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if err := g.Do(t.Context(), number, -1, nil, func([]int) { close(begun); <-stop }); err != nil {
			t.Errorf("the first job: %v", err)
		}
	}()
	<-begun
	return func() { close(stop); <-ended }
}

// await blocks until n jobs wait in a queue.
func await(g *batch.Group[int], number int64, n int) {
	for waiting, _ := g.Waiting(number); waiting != n; waiting, _ = g.Waiting(number) {
		runtime.Gosched()
	}
}

func TestWaitingJobsRunInBatchesInOrder(t *testing.T) {
	var g batch.Group[int]
	end := hold(t, &g, 7)
	var batches [][]int // written by one request at a time, as the race detector checks
	var requests sync.WaitGroup
	for i := range 150 {
		requests.Go(func() {
			if err := g.Do(t.Context(), 7, i, nil, func(jobs []int) { batches = append(batches, jobs) }); err != nil {
				t.Errorf("job %d: %v", i, err)
			}
		})
		await(&g, 7, i+1)
	}
	alone := false
	if err := g.Do(t.Context(), 8, 0, nil, func(jobs []int) { alone = len(jobs) == 1 }); err != nil || !alone {
		t.Errorf("another queue waits for this one: %v", err)
	}
	end()
	requests.Wait()
	if len(batches) != 3 || len(batches[0]) != 64 || len(batches[1]) != 64 ||
		!slices.IsSorted(slices.Concat(batches...)) || len(slices.Concat(batches...)) != 150 {
		t.Errorf("batches = %v, want 0 to 149 in three, of 64 at most", batches)
	}
	if _, busy := g.Waiting(7); busy {
		t.Error("the queue does not end")
	}
}

func TestTwentyConcurrentJobsRunOnceEach(t *testing.T) {
	var g batch.Group[int]
	var done [20]atomic.Int64
	var running atomic.Int64
	var requests sync.WaitGroup
	for i := range done {
		requests.Go(func() {
			err := g.Do(t.Context(), 1, i, nil, func(jobs []int) {
				if running.Add(1) != 1 {
					t.Error("two batches of one queue at once")
				}
				for _, j := range jobs {
					done[j].Add(1)
				}
				running.Add(-1)
			})
			if err != nil || done[i].Load() != 1 {
				t.Errorf("job %d was done %d times when it returned (%v), want once", i, done[i].Load(), err)
			}
		})
	}
	requests.Wait()
}

func TestAJobThatLeavesTheQueueDoesNotRun(t *testing.T) {
	g := batch.Group[int]{Timeout: time.Millisecond}
	end := hold(t, &g, 1)
	gaveUp := errors.New("gave up")
	if err := g.Do(t.Context(), 1, 1, func(ahead []int) error {
		if !slices.Equal(ahead, []int{-1}) {
			t.Errorf("ahead = %v, want the job that runs", ahead)
		}
		return gaveUp
	}, func([]int) { t.Error("the job ran") }); !errors.Is(err, gaveUp) {
		t.Errorf("error = %v, want gave up", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Do(ctx, 1, 2, nil, func([]int) { t.Error("the job ran") }); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want canceled", err)
	}
	stays := make(chan error, 1)
	asked := make(chan struct{})
	go func() {
		stays <- g.Do(t.Context(), 1, 3, func([]int) error { close(asked); return nil }, func(jobs []int) {
			if !slices.Equal(jobs, []int{3}) {
				t.Errorf("jobs = %v, want the one that stayed", jobs)
			}
		})
	}()
	<-asked
	end()
	if err := <-stays; err != nil {
		t.Errorf("the job that stayed: %v", err)
	}
}

func TestWithoutATimeoutNoJobGivesUp(t *testing.T) {
	var g batch.Group[int]
	end := hold(t, &g, 1)
	var requests sync.WaitGroup
	for i := range 200 {
		requests.Go(func() {
			giveUp := func([]int) error { return errors.New("gave up") }
			if err := g.Do(t.Context(), 1, i, giveUp, func([]int) {}); err != nil {
				t.Errorf("job %d: %v", i, err)
			}
		})
		await(&g, 1, i+1)
	}
	end()
	requests.Wait()
}

func TestAPanicLeavesNoJobWaiting(t *testing.T) {
	var g batch.Group[int]
	end := hold(t, &g, 1)
	var panics, returned atomic.Int64
	var requests sync.WaitGroup
	for i := range 20 {
		requests.Go(func() {
			defer func() {
				if recover() != nil {
					panics.Add(1)
				}
			}()
			_ = g.Do(t.Context(), 1, i, nil, func([]int) { panic("on purpose") })
			returned.Add(1)
		})
	}
	await(&g, 1, 20)
	end()
	requests.Wait()
	if panics.Load() != 1 || returned.Load() != 19 {
		t.Errorf("%d panicked and %d returned, want 1 and 19", panics.Load(), returned.Load())
	}
	if _, busy := g.Waiting(1); busy {
		t.Error("the queue does not end")
	}
}

// A batch that fails may refuse the jobs behind it, which then do not run.
func TestRefuse(t *testing.T) {
	t.Parallel()
	var g batch.Group[*int]
	begun, proceed := make(chan bool), make(chan bool)
	var jobs sync.WaitGroup
	jobs.Go(func() {
		_ = g.Do(t.Context(), 1, new(int), nil, func([]*int) {
			close(begun)
			<-proceed
			g.Refuse(1, func(behind *int) { *behind = 7 })
		})
	})
	<-begun
	results := make([]int, 3)
	for i := range results {
		jobs.Go(func() {
			if err := g.Do(t.Context(), 1, &results[i], nil, func([]*int) { t.Error("a refused job runs") }); err != nil {
				t.Errorf("job %d: %v", i, err)
			}
		})
	}
	for waiting := 0; waiting < len(results); {
		waiting, _ = g.Waiting(1)
	}
	close(proceed)
	jobs.Wait()
	if _, running := g.Waiting(1); running || slices.Contains(results, 0) {
		t.Errorf("results %v, queue runs: %t; want 7 for each, and an ended queue", results, running)
	}
}
