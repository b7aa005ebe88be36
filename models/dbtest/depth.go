package dbtest

import (
	"flag"
	"os"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// Full reports whether tests run at full depth: TEST_DEPTH=full, set by make test-full.
func Full() bool { return os.Getenv("TEST_DEPTH") == "full" }

// Depth returns how often a test repeats a case: daily in make test, full in make test-full.
func Depth(daily, full int) int {
	if Full() {
		return full
	}
	return daily
}

// rapidChecks guards rapid's global flag, the only way to set the number of cases.
var rapidChecks sync.Mutex

// Check tests a property on Depth(daily, full) random cases. A failure prints the seed; -rapid.seed=N replays it.
func Check(t *testing.T, daily, full int, property func(*rapid.T)) {
	t.Helper()
	rapidChecks.Lock()
	defer rapidChecks.Unlock()
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if err := checks.Value.Set(strconv.Itoa(Depth(daily, full))); err != nil {
		t.Fatalf("set rapid.checks: %v", err)
	}
	defer func() { _ = checks.Value.Set(before) }()
	rapid.Check(t, property)
}
