package e2e

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// figure holds the measurements of one kind of work and of its yardstick.
type figure struct {
	name  string
	rates []float64 // per second, per round
	took  []time.Duration
	yard  []float64 // the yardstick's rates; empty for a yardstick
	than  string    // the yardstick; empty means pgbench
}

// writeFigures appends figures to the file that BENCH_TABLE names, which `make bench` prints last: slowest, median and
// fastest round, p50, p99, and the ratio of the medians.
func writeFigures(b *testing.B, figures ...figure) {
	b.Helper()
	path := os.Getenv("BENCH_TABLE")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	for _, f := range figures {
		if len(f.rates) == 0 || len(f.took) == 0 {
			continue
		}
		slices.Sort(f.took)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		fmt.Fprintf(file, "%-34s %7.0f %7.0f %7.0f /s  p50 %6.1f ms  p99 %6.1f ms", f.name, slices.Min(f.rates),
			median(f.rates), slices.Max(f.rates),
			ms(f.took[len(f.took)/2]), ms(f.took[len(f.took)*99/100]))
		if len(f.yard) > 0 {
			fmt.Fprintf(file, "  %5.2f x %s", median(f.rates)/median(f.yard), cmp.Or(f.than, "pgbench"))
		}
		fmt.Fprintln(file)
	}
}

// runClients lets each client do its share of the work, all clients at once, and returns the pieces per second and how
// long each took.
func runClients(b *testing.B, clients, each int, work func(client, n int) error) (rate float64, took []time.Duration) {
	b.Helper()
	took = make([]time.Duration, clients*each)
	began := time.Now()
	dbtest.Concurrently(clients, func(client int) {
		for n := client * each; n < (client+1)*each; n++ {
			sent := time.Now()
			if err := work(client, n); err != nil {
				b.Error(err)
				return
			}
			took[n] = time.Since(sent)
		}
	})
	return float64(len(took)) / time.Since(began).Seconds(), took
}

// processorTime returns the processor time of a server since its start, of all its threads; 0 where there is no /proc.
// Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func (s *site) processorTime() time.Duration {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	const tick = 10 * time.Millisecond
	_, after, _ := strings.Cut(string(text), ") ") // the name before may have spaces
	fields := strings.Fields(after)
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err := cmp.Or(err, err2); err != nil {
		s.t.Fatal(err)
	}
	return time.Duration(user+system) * tick
}
