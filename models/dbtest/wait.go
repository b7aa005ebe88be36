package dbtest

import (
	"testing"
	"time"
)

// HangTimeout is when a test counts as hung. Code that works stays far below it, even on a slow machine.
const HangTimeout = 3 * time.Minute

// Eventually polls done until it returns true.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(HangTimeout)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, HangTimeout)
		}
		<-tick.C
	}
}
