package dbtest

import (
	"math"
	"testing"
	"time"
)

// HangTimeout is when a test counts as hung. Code that works stays far below it, even on a slow machine.
const HangTimeout = 3 * time.Minute

// Eventually polls done until it returns true.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	Reaches(t, what, func() int64 {
		if done() {
			return 1
		}
		return 0
	}, 1)
}

// Reaches polls count until it returns want. It fails the test when count has not come nearer for HangTimeout.
func Reaches(t testing.TB, what string, count func() int64, want int64) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	nearest, deadline := int64(math.MaxInt64), time.Time{}
	for {
		n := count()
		distance := max(n-want, want-n)
		switch {
		case distance == 0:
			return
		case distance < nearest:
			nearest, deadline = distance, time.Now().Add(HangTimeout)
		case time.Now().After(deadline):
			t.Fatalf("%s: %d, want %d; no nearer for %s", what, n, want, HangTimeout)
		}
		<-tick.C
	}
}
