package periodic

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// Neither an error nor a panic leaves a run, and the log has a panic's type without its value.
func TestOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		work func() error
		log  string
	}{
		{"a success", func() error { return nil }, ""},
		{"an error", func() error { return errors.New("no connection") }, "background job failed"},
		{"a panic", func() error { panic("secret") }, "background job panicked"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			job := Job{Name: "count", Work: func(context.Context) error { return tc.work() }}
			failures := job.once(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), 0)
			if want := min(len(tc.log), 1); failures != want {
				t.Errorf("got %d failures, want %d", failures, want)
			}
			if text := log.String(); !strings.Contains(text, tc.log) || tc.log == "" && text != "" ||
				strings.Contains(text, "secret") {
				t.Errorf("got log %q, want %q in it and no secret", text, tc.log)
			}
		})
	}
}

// Of failures in a row, the first is logged, and their number when the job succeeds again.
func TestFailuresInARowAreCounted(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	failures := 0
	for _, fails := range []bool{false, true, true, true, false, false, true, false} {
		failures = Job{Name: "ask", Work: func(context.Context) error {
			if fails {
				return errors.New("no connection")
			}
			return nil
		}}.once(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), failures)
	}
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
