package lane_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/services/lane"
)

// held begins a lane with a job that ends when the returned function is called.
func held(t *testing.T, l *lane.Lanes[int], number int64) (end func()) {
	t.Helper()
	begun, stop, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Do(t.Context(), number, -1, nil, func([]int) { close(begun); <-stop }); err != nil {
			t.Errorf("the first job: %v", err)
		}
	}()
	<-begun
	return func() { close(stop); <-ended }
}

// await returns when n jobs wait in a lane.
func await(l *lane.Lanes[int], number int64, n int) {
	for waiting, _ := l.Waiting(number); waiting != n; waiting, _ = l.Waiting(number) {
		runtime.Gosched()
	}
}

func TestJobsThatWaitAreDoneTogetherInTheirOrder(t *testing.T) {
	var l lane.Lanes[int]
	end := held(t, &l, 7)
	var batches [][]int // written by one request at a time, which the race detector sees to
	var requests sync.WaitGroup
	for i := range 150 {
		requests.Go(func() {
			if err := l.Do(t.Context(), 7, i, nil, func(jobs []int) { batches = append(batches, jobs) }); err != nil {
				t.Errorf("job %d: %v", i, err)
			}
		})
		await(&l, 7, i+1)
	}
	alone := false
	if err := l.Do(t.Context(), 8, 0, nil, func(jobs []int) { alone = len(jobs) == 1 }); err != nil || !alone {
		t.Errorf("another lane waits for this one: %v", err)
	}
	end()
	requests.Wait()
	if len(batches) != 3 || len(batches[0]) != 64 || len(batches[1]) != 64 || !slices.IsSorted(slices.Concat(batches...)) || len(slices.Concat(batches...)) != 150 {
		t.Errorf("batches = %v, want 0 to 149 in three, of 64 at most", batches)
	}
	if _, busy := l.Waiting(7); busy {
		t.Error("the lane does not end")
	}
}

func TestTwentyAtOnceAreEachDoneOnce(t *testing.T) {
	var l lane.Lanes[int]
	var done [20]atomic.Int64
	var running atomic.Int64
	var requests sync.WaitGroup
	for i := range done {
		requests.Go(func() {
			err := l.Do(t.Context(), 1, i, nil, func(jobs []int) {
				if running.Add(1) != 1 {
					t.Error("two batches of one lane at once")
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

func TestWhoLeavesIsNotDone(t *testing.T) {
	l := lane.Lanes[int]{Patience: time.Millisecond}
	end := held(t, &l, 1)
	tired := errors.New("tired")
	if err := l.Do(t.Context(), 1, 1, func(before []int) error {
		if !slices.Equal(before, []int{-1}) {
			t.Errorf("before it are %v, want the one that runs", before)
		}
		return tired
	}, func([]int) { t.Error("done") }); !errors.Is(err, tired) {
		t.Errorf("error = %v, want tired", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Do(ctx, 1, 2, nil, func([]int) { t.Error("done") }); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want canceled", err)
	}
	stays := make(chan error, 1)
	asked := make(chan struct{})
	go func() {
		stays <- l.Do(t.Context(), 1, 3, func([]int) error { close(asked); return nil }, func(jobs []int) {
			if !slices.Equal(jobs, []int{3}) {
				t.Errorf("done are %v, want the one that stayed", jobs)
			}
		})
	}()
	<-asked
	end()
	if err := <-stays; err != nil {
		t.Errorf("who stayed: %v", err)
	}
}

func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	var l lane.Lanes[int]
	end := held(t, &l, 1)
	var panics, returned atomic.Int64
	var requests sync.WaitGroup
	for i := range 20 {
		requests.Go(func() {
			defer func() {
				if recover() != nil {
					panics.Add(1)
				}
			}()
			_ = l.Do(t.Context(), 1, i, nil, func([]int) { panic("on purpose") })
			returned.Add(1)
		})
	}
	await(&l, 1, 20)
	end()
	requests.Wait()
	if panics.Load() != 1 || returned.Load() != 19 {
		t.Errorf("%d panicked and %d returned, want 1 and 19", panics.Load(), returned.Load())
	}
	if _, busy := l.Waiting(1); busy {
		t.Error("the lane does not end")
	}
}
