package e2e

import (
	"os"
	"time"
)

// soak works for as long as SOAK says at half of the peak and kills the second replica once a minute. The first must
// not grow.
func soak(tr *trial) {
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	tr.need("SOAK=10m", err == nil && length >= 4*time.Minute)
	fx := tr.fixture()
	f := newFleet(tr, 2, fx.env()...)
	l := newLoad(tr, fx, f.origins(), outage...)
	l.start(faultClients)
	l.during(20 * time.Second)
	peak := float64(l.requests()) / 20
	l.restart(faultClients, time.Duration(float64(faultClients)/(peak/2)*float64(time.Second)))
	first := f.sites[0]
	began, memory, running := time.Now(), 0.0, 0.0
	statements := func() int64 {
		return fx.count(tr, `SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()`)
	}
	from := statements()
	for minute := 1; time.Since(began) < length; minute++ {
		l.during(time.Minute)
		f.sites[1].kill()
		f.start(1)
		if minute == 3 {
			memory, running = first.metric(residentSet), first.metric(goroutines)
		}
		tr.Logf("minute %d: %.1f MB, %.0f goroutines, %.0f descriptors, %d requests, p99 %.0f ms", minute,
			first.metric(residentSet)/1e6, first.metric(goroutines), first.metric(openFiles), l.requests(),
			l.slowest(0.99).Seconds()*1000)
	}
	minutes := time.Since(began).Minutes()
	slope := (first.metric(residentSet) - memory) / 1e6 / (minutes - 3)
	tr.notef("peak %.0f/s, held %.0f/s, p99 %.0f ms, %+.2f MB/min, %+.0f goroutines, %.0f transactions/s", peak,
		float64(l.requests())/minutes/60, l.slowest(0.99).Seconds()*1000, slope, first.metric(goroutines)-running,
		float64(statements()-from)/minutes/60)
	if slope >= 1 {
		tr.failf("memory grew by %.1f MB a minute", slope)
	}
	if grown := first.metric(goroutines) - running; grown > 20 {
		tr.failf("%.0f more goroutines than after three minutes", grown)
	}
	l.finish()
}
