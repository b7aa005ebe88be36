package e2e

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// figure holds the measurements of one kind of work and of its yardstick.
type figure struct {
	name  string
	rates []float64 // per second, per round
	took  []time.Duration
	yard  []float64 // the yardstick's rates; empty for a yardstick
}

// writeFigures appends figures to the file that BENCH_TABLE names, which `make bench` prints last: slowest, median and
// fastest round, p50, p99, and the ratio of the medians.
func writeFigures(b *testing.B, figures ...figure) {
	b.Helper()
	path := os.Getenv("BENCH_TABLE")
	if path == "" {
		return
	}
	//nolint:gosec // G304: the person who starts the benchmark names the file
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
			fmt.Fprintf(file, "  %5.2f x pgbench", median(f.rates)/median(f.yard))
		}
		fmt.Fprintln(file)
	}
}
