// Package periodic runs background jobs when they have work, and leaves an idle database alone.
package periodic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Job is work that repeats. A Schedule runs it, never twice at the same time in one process.
type Job struct {
	Name string // what it does, for the log: "expire holds"
	// Due is SQL for the time at which the job has work: an expression without a row to read from, such as
	// (SELECT min(expires_at) FROM holds WHERE status = 'open'). NULL means no work; a time in the past means now. It is
	// evaluated every few seconds, so an index must answer it. Empty: the job cleans up, and runs at each Pause while the
	// database is in use and once a day otherwise.
	Due string
	// Args are the named arguments of Due. All jobs share the names. Due casts an argument by cast(@name AS type).
	Args map[string]any
	// Pause is the least time between two starts. Default: two seconds.
	Pause time.Duration
	// Outside is for a job without Due that looks for its work outside the database: it runs at each Pause, whether or not
	// the database is in use, and must leave it alone when there is nothing new. What it then stores wakes every server,
	// unless it marks its context by Background.
	Outside bool
	Work    func(context.Context) error // one run
}

// Once runs each job once, one after the other.
func Once(ctx context.Context, jobs []Job) (failed error) {
	for _, j := range jobs {
		if err := j.Work(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", j.Name, err))
		}
	}
	return failed
}

// repeat runs a job that is Outside at each pause, until ctx ends.
func (j Job) repeat(ctx context.Context, log *slog.Logger, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for failures := 0; ctx.Err() == nil; {
		failures = j.once(ctx, log, failures)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// once runs the job after some failures in a row, and returns their number then. Of failures in a row it logs the
// first, and their number once the job succeeds again. Neither an error nor a panic leaves it.
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
