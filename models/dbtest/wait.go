package dbtest

import (
	"testing"
	"time"
)

// Patience is how long anything may take before a test gives it up as hung. Nothing that works comes near it, on any machine.
const Patience = 3 * time.Minute

// Eventually calls done many times a second until it says yes.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, Patience)
		}
		<-tick.C
	}
}
