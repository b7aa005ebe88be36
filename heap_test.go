package main

import (
	"runtime/debug"
	"testing"
)

// GOGC decides how much garbage grows, also when it names Go's own default.
func TestGOGCOverridesHeapGrowth(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for _, c := range []struct {
		gogc    string
		set, is int // percent
	}{{"", 100, heapGrowth}, {"100", 100, 100}, {"200", 200, 200}, {"off", -1, -1}} {
		t.Setenv("GOGC", c.gogc)
		debug.SetGCPercent(c.set) // as the runtime does at the start
		limitHeap()
		if got := debug.SetGCPercent(100); got != c.is {
			t.Errorf("GOGC=%s: %d percent, want %d", c.gogc, got, c.is)
		}
	}
}
