package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/resume-matcher/credits/services/localpg"
)

// scenarios break what the product depends on while clients work, and check the answers and what was booked.
// Each falls short with a planted mistake, as make bite-faults shows.
var scenarios = []struct {
	name string
	run  func(*trial)
}{
	{"C1 replicas are killed", replicasAreKilled},
	{"C2 PostgreSQL is killed", postgresIsKilled},
	{"C3 replies to COMMIT are lost", func(tr *trial) { badNetwork(tr, databaseFault{loseCommit: 0.05}, false) }},
	{"C3 connections are reset", func(tr *trial) { badNetwork(tr, databaseFault{}, true) }},
	{"C3 replies are cut off", func(tr *trial) { badNetwork(tr, databaseFault{cutAfter: 4000}, false) }},
	{"C3 the database is far away", func(tr *trial) { badNetwork(tr, databaseFault{delay: 50 * time.Millisecond}, false) }},
	{"C3 the network stands still", func(tr *trial) { badNetwork(tr, databaseFault{frozen: true}, false) }},
	{"C4 the disk is full", diskIsFull},
	{"C5 behind PgBouncer", behindPgBouncer},
	{"C6 three start at once", threeStartAtOnce},
	{"C7 rolling restart behind nginx", func(tr *trial) { rollingRestart(tr, "nginx") }},
	{"C7 rolling restart behind HAProxy", func(tr *trial) { rollingRestart(tr, "haproxy") }},
	{"C7 roll-out from the last schema", func(tr *trial) { rollOut(tr, lastSchema(tr)) }},
	{"C7 roll-out from an old release", func(tr *trial) { rollOut(tr, oldestRelease) }},
	{"C8 a user's row is stuck", userIsStuck},
	{"C8 deadlock with another session", deadlock},
	{"C9 no connection is free", poolIsUsedUp},
	{"C10 the database's clock is wrong", databaseClockIsWrong},
	{"C10 a replica's clock is wrong", replicaClockIsWrong},
	{"C11 Stripe fails", stripeFails},
	{"C12 backup under load", backupUnderLoad},
	{"C13 slow senders, few descriptors", slowSenders},
	{"G8 soak", soak},
}

// Whatever breaks, credits are booked as acknowledged, once, and answers are true.
func TestFaults(t *testing.T) {
	if os.Getenv("FAULTS") == "" {
		t.Skip("make faults runs this test")
	}
	server := startPostgres(t, localpg.Options{})
	migrate(t, server.URL())
	root := &trial{T: t}
	root.try(openDatabase(root, server.AdminURL("postgres")).Exec(`GRANT pg_read_all_stats TO app`).Error)
	var rows []*trial
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			tr, began := &trial{T: t, server: server}, time.Now()
			rows = append(rows, tr)
			t.Cleanup(func() { // the last: servers that do not stop count, too
				fmt.Fprintf(os.Stderr, "%4.0f s  %s: %s\n", time.Since(began).Seconds(), s.name, tr.verdict())
			})
			s.run(tr)
		})
	}
	printTrials(rows)
}

// untilFailed is the value of FAULTS with which a scenario ends soon after it has fallen short.
const untilFailed = "until failed"

// trial is one run of a scenario, and a row of the table.
type trial struct {
	*testing.T
	server *localpg.Server // of all trials; its own database is migrated and empty

	mu           sync.Mutex
	acknowledged int
	lost, double int
	broken       int           // invariants
	saw          []string      // what clients saw
	silence      time.Duration // the longest time without a success
	wrong        []string      // why the scenario falls short
}

// failf records why the scenario falls short.
func (tr *trial) failf(format string, args ...any) {
	tr.Helper()
	tr.mu.Lock()
	tr.wrong = append(tr.wrong, fmt.Sprintf(format, args...))
	tr.mu.Unlock()
	tr.Errorf(format, args...)
}

// Fatalf records why the scenario ends here.
func (tr *trial) Fatalf(format string, args ...any) {
	tr.Helper()
	tr.failf(format, args...)
	tr.FailNow()
}

// shownEnough reports whether the scenario has fallen short with a mistake, of which no more need be known.
func (tr *trial) shownEnough() bool { return tr.Failed() && os.Getenv("FAULTS") == untilFailed }

// notef adds to what clients saw.
func (tr *trial) notef(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.saw = append(tr.saw, fmt.Sprintf(format, args...))
}

// atMost fails the scenario if something took longer than its limit.
func (tr *trial) atMost(what string, took, limit time.Duration) {
	tr.Helper()
	if took > limit {
		tr.failf("%s took %.1f s, want at most %.1f s", what, took.Seconds(), limit.Seconds())
	}
}

// try fails the scenario at once if it cannot be prepared.
func (tr *trial) try(err error) {
	tr.Helper()
	if err != nil {
		tr.Fatalf("%v", err)
	}
}

// need skips the scenario if a program is not installed, or if it needs root.
func (tr *trial) need(what string, there bool) {
	tr.Helper()
	if !there {
		tr.notef("needs %s", what)
		tr.Skipf("needs %s", what)
	}
}

func (tr *trial) verdict() string {
	switch {
	case tr.Skipped():
		return "skipped"
	case !tr.Failed():
		return "holds"
	case len(tr.wrong) == 0:
		return "FALLS SHORT: see above"
	}
	return "FALLS SHORT: " + strings.Join(tr.wrong[:min(len(tr.wrong), 2)], "; ")
}

func printTrials(rows []*trial) {
	table := tabwriter.NewWriter(os.Stderr, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nscenario\tacknowledged\tlost\tdouble\tinvariants\tclients saw\tsilence\tverdict")
	for _, tr := range rows {
		name := strings.ReplaceAll(strings.TrimPrefix(tr.Name(), "TestFaults/"), "_", " ")
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%.1f s\t%s\n", name, tr.acknowledged, tr.lost, tr.double, tr.broken,
			strings.Join(tr.saw, ", "), tr.silence.Seconds(), tr.verdict())
	}
	_ = table.Flush() // nothing could report it
}
