// Package periodic runs background jobs at an interval.
package periodic

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Job is work that repeats.
type Job struct {
	Name  string                      // what it does, for the log: "expire holds"
	Pause time.Duration               // between two starts
	Wake  <-chan struct{}             // starts a run before the pause is over; optional
	Work  func(context.Context) error // one run
}

// Run runs the job at once and then after each pause, until ctx ends. Neither an error nor a panic stops it: the next
// run tries again. Of failures in a row it logs the first, and their number once the job succeeds again.
func (j Job) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(j.Pause)
	defer ticker.Stop()
	failures := 0
	for {
		failures = j.once(ctx, log, failures)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-j.Wake:
		}
	}
}

// once runs the job after some failures in a row, and returns their number then.
func (j Job) once(ctx context.Context, log *slog.Logger, before int) (failures int) {
	defer func() {
		if r := recover(); r != nil { // its value may quote a payload; its type and the stack do not
			log.ErrorContext(ctx, "background job panicked", "job", j.Name, "type", fmt.Sprintf("%T", r), "stack",
				string(debug.Stack()))
			failures = before + 1
		}
	}()
	err := j.Work(ctx)
	switch {
	case ctx.Err() != nil:
	case err == nil && before > 0:
		log.InfoContext(ctx, "background job succeeds again", "job", j.Name, "failures", before)
	case err != nil && before == 0:
		log.WarnContext(ctx, "background job failed", "job", j.Name, "err", err)
	}
	if err == nil {
		return 0
	}
	return before + 1
}
