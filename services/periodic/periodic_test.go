package periodic

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		work func() error
		log  string
	}{
		{"repeats after a success", func() error { return nil }, ""},
		{"repeats after an error, which it logs", func() error { return errors.New("no connection") },
			"background job failed"},
		{"repeats after a panic, which it logs without its value", func() error { panic("secret") },
			"background job panicked"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			var log bytes.Buffer
			wake := make(chan struct{}, 1)
			runs := 0
			Job{Name: "count", Pause: time.Hour, Wake: wake, Work: func(context.Context) error {
				if runs++; runs == 3 {
					stop()
				} else {
					wake <- struct{}{}
				}
				return tc.work()
			}}.Run(ctx, slog.New(slog.NewTextHandler(&log, nil)))
			if runs != 3 {
				t.Errorf("got %d runs, want 3", runs)
			}
			if text := log.String(); !strings.Contains(text, tc.log) || tc.log == "" && text != "" ||
				strings.Contains(text, "secret") {
				t.Errorf("got log %q, want %q in it and no secret", text, tc.log)
			}
		})
	}
}

func TestRunPauses(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	runs := 0
	Job{Pause: time.Millisecond, Work: func(context.Context) error {
		if runs++; runs == 3 {
			stop()
		}
		return nil
	}}.Run(ctx, slog.New(slog.DiscardHandler))
	if runs != 3 {
		t.Errorf("got %d runs, want 3", runs)
	}
}

// Of failures in a row, the first is logged, and their number when the job succeeds again.
func TestFailuresInARowAreCounted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	var log bytes.Buffer
	wake := make(chan struct{}, 1)
	fails := []bool{false, true, true, true, false, false, true, false}
	runs := 0
	Job{Name: "ask", Pause: time.Hour, Wake: wake, Work: func(context.Context) error {
		runs++
		if wake <- struct{}{}; runs > len(fails) {
			stop()
			return nil
		}
		if fails[runs-1] {
			return errors.New("no connection")
		}
		return nil
	}}.Run(ctx, slog.New(slog.NewTextHandler(&log, nil)))
	var got []string
	for line := range strings.Lines(log.String()) {
		_, text, _ := strings.Cut(line, "level=")
		got = append(got, strings.TrimSpace(text))
	}
	want := []string{`WARN msg="background job failed" job=ask err="no connection"`,
		`INFO msg="background job succeeds again" job=ask failures=3`,
		`WARN msg="background job failed" job=ask err="no connection"`,
		`INFO msg="background job succeeds again" job=ask failures=1`}
	if !slices.Equal(got, want) {
		t.Errorf("log %q, want %q", got, want)
	}
}
