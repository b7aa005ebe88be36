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

// Run runs the job at once and then after each pause, until ctx ends. Neither an error nor a panic stops it: both are
// logged, and the next run tries again.
func (j Job) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(j.Pause)
	defer ticker.Stop()
	for {
		j.once(ctx, log)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-j.Wake:
		}
	}
}

func (j Job) once(ctx context.Context, log *slog.Logger) {
	defer func() {
		if r := recover(); r != nil { // its value may quote a payload; its type and the stack do not
			log.ErrorContext(ctx, "background job panicked", "job", j.Name, "type", fmt.Sprintf("%T", r), "stack",
				string(debug.Stack()))
		}
	}()
	if err := j.Work(ctx); err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "background job failed", "job", j.Name, "err", err)
	}
}
