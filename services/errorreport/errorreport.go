// Package errorreport sends the errors and panics of the log to Sentry, without what could identify a person.
package errorreport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/resume-matcher/credits/services/logging"
)

// Options name the project at Sentry and this program.
type Options struct {
	DSN                        string
	Release, Environment, Mode string
}

// Reporter sends reports in the background. It keeps a hundred, drops the oldest when there are more, and delays
// nothing.
type Reporter struct {
	client *sentry.Client
	mode   string
}

// sendTimeout bounds the sending of one report.
const sendTimeout = 10 * time.Second

// New returns a reporter. It does not connect yet.
// Errors: an invalid DSN, which the text does not quote.
func New(o Options) (*Reporter, error) {
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: o.DSN, Release: o.Release, Environment: o.Environment,
		Integrations:         func([]sentry.Integration) []sentry.Integration { return nil }, // they read the environment
		MaxBreadcrumbs:       -1,
		DisableClientReports: true,
		HTTPClient:           &http.Client{Timeout: sendTimeout},
		BeforeSend:           func(e *sentry.Event, _ *sentry.EventHint) *sentry.Event { return scrub(e) },
	})
	if err != nil {
		return nil, errors.New("SENTRY_DSN is no DSN of a Sentry project")
	}
	return &Reporter{client, o.Mode}, nil
}

// Flush sends what waits, until ctx ends. A nil Reporter has nothing.
// Errors: reports that could not be sent in time.
func (r *Reporter) Flush(ctx context.Context) error {
	if r != nil && !r.client.FlushWithContext(ctx) {
		return errors.New("some errors were not reported to Sentry")
	}
	return nil
}

// Handler returns a log handler that reports errors and passes each record on to next.
func (r *Reporter) Handler(next slog.Handler) slog.Handler { return handler{Handler: next, to: r} }

type handler struct {
	slog.Handler
	to    *Reporter
	attrs []slog.Attr
}

// Enabled wants every error, whatever the log's level.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError || h.Handler.Enabled(ctx, level)
}

// Handle reports an error and writes the record.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		h.to.report(ctx, h.attrs, r)
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the reports.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.to, slices.Concat(h.attrs, attrs)}
}

// WithGroup keeps the reports.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.to, h.attrs}
}

// tags are the attributes of a line that a report has: codes of ours, ids of objects, and texts that clean has been
// over. All others, such as user_id, stay in the log, where request_id finds them.
var tags = []string{"code", "event_id", "job", "object_id", "problem", "problems", "purchase_id", "reason", "route",
	"type"}

// report sends a record: its message, its cause, and where it was logged.
func (r *Reporter) report(ctx context.Context, attrs []slog.Attr, line slog.Record) {
	event := sentry.NewEvent()
	event.Level, event.Timestamp = sentry.LevelError, line.Time
	event.Tags = map[string]string{"mode": r.mode, "request_id": logging.RequestID(ctx)}
	cause, class := "", ""
	add := func(a slog.Attr) bool {
		switch {
		case a.Key == "err":
			cause, class = fmt.Sprint(a.Value.Any()), classOf(a.Value.Any())
		case slices.Contains(tags, a.Key):
			event.Tags[a.Key] = a.Value.String()
		}
		return true
	}
	for _, a := range attrs {
		add(a)
	}
	line.Attrs(add)
	event.Exception = []sentry.Exception{{Type: line.Message, Value: cause, Stacktrace: stack()}}
	// Lines of one message are one issue for each route and kind of cause. Sentry would go by the stack, which leads to
	// the same line of ours for every failed request.
	event.Fingerprint = []string{line.Message, event.Tags["route"], event.Tags["job"], class}
	r.client.CaptureEvent(event, nil, nil)
}

// classOf names the kind of an error: the type of its first cause, and PostgreSQL's code.
func classOf(value any) string {
	err, ok := value.(error)
	if !ok {
		return ""
	}
	var database interface{ SQLState() string }
	if errors.As(err, &database) {
		return "SQLSTATE " + database.SQLState()
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return fmt.Sprintf("%T", err)
}

// module is the import path that our own packages begin with.
const module = "github.com/resume-matcher/credits"

// stack returns the frames of the caller of the log.
func stack() *sentry.Stacktrace {
	trace := sentry.NewStacktrace()
	trace.Frames = slices.DeleteFunc(trace.Frames, func(f sentry.Frame) bool {
		return f.Module == "log/slog" || strings.HasSuffix(f.Module, "services/errorreport") ||
			strings.HasSuffix(f.Module, "services/logging")
	})
	for i := range trace.Frames { // the library goes by GOROOT, which a trimmed binary lacks
		trace.Frames[i].InApp = strings.HasPrefix(trace.Frames[i].Module, module)
	}
	return trace
}
