package errorreport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/resume-matcher/credits/services/errorreport"
	"github.com/resume-matcher/credits/services/logging"
)

// ingest is a stand-in for Sentry's ingest endpoint.
type ingest struct {
	mu   sync.Mutex
	text strings.Builder
}

// ServeHTTP receives an envelope.
func (i *ingest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.text.Write(body)
	i.text.WriteString("\n")
	w.WriteHeader(http.StatusOK)
}

type frame struct {
	Function string
	InApp    bool `json:"in_app"`
}

// event is what the tests read of a report.
type event struct {
	Level, Release, Environment string
	Tags                        map[string]string
	Fingerprint                 []string
	Exception                   []struct {
		Type, Value string
		Stacktrace  struct{ Frames []frame }
	}
	User, Request, Breadcrumbs, Contexts any
}

// events parses the envelopes: lines of JSON, of which those with an exception are events.
func (i *ingest) events(t *testing.T) (all []event) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	for line := range strings.Lines(i.text.String()) {
		var e event
		if strings.Contains(line, `"exception"`) {
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			all = append(all, e)
		}
	}
	return all
}

func newReporter(t *testing.T, address string) *errorreport.Reporter {
	t.Helper()
	r, err := errorreport.New(errorreport.Options{DSN: strings.Replace(address, "://", "://key@", 1) + "/1",
		Release: "v1.2.3+abc", Environment: "production", Mode: "live"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An error becomes a report with its request, route, release and environment. A warning stays in the log.
func TestErrorsAreReported(t *testing.T) {
	t.Parallel()
	var got ingest
	server := httptest.NewServer(&got)
	t.Cleanup(server.Close)
	reporter := newReporter(t, server.URL)
	var out bytes.Buffer
	log := slog.New(reporter.Handler(logging.NewLogger(&out, slog.LevelInfo, "json").Handler())).With("job", "book events")
	ctx := logging.WithRequestID(context.Background(), "req_1")
	log.WarnContext(ctx, "refused")
	cause := fmt.Errorf("find event: %w", &pgconn.PgError{Severity: "ERROR", Code: "42P01", Message: "relation gone"})
	log.ErrorContext(ctx, "request failed", "route", "/:locale/billing", "user_id", 4711, "err", cause)
	if err := reporter.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := got.events(t)
	if len(events) != 1 || strings.Count(out.String(), "\n") != 2 {
		t.Fatalf("%d reports and log:\n%s\nwant one report and both lines", len(events), &out)
	}
	e := events[0]
	if e.Level != "error" || e.Release != "v1.2.3+abc" || e.Environment != "production" || e.Tags["mode"] != "live" ||
		e.Tags["request_id"] != "req_1" || e.Tags["route"] != "/:locale/billing" || e.Tags["user_id"] != "" {
		t.Errorf("report = %+v, want release, environment, mode, request and route, and no user", e)
	}
	if x := e.Exception[0]; x.Type != "request failed" || x.Value != "find event: ERROR: relation gone (SQLSTATE 42P01)" {
		t.Errorf("exception %q: %q, want the message and its cause", x.Type, x.Value)
	}
	frames := e.Exception[0].Stacktrace.Frames
	if len(frames) == 0 || frames[len(frames)-1] != (frame{"TestErrorsAreReported", true}) {
		t.Errorf("stack %+v, want it to end where the line was logged", frames)
	}
	want := []string{"request failed", "/:locale/billing", "book events", "SQLSTATE 42P01"}
	if !slices.Equal(e.Fingerprint, want) {
		t.Errorf("fingerprint %q, want %q", e.Fingerprint, want)
	}
	if e.User != nil || e.Request != nil || e.Breadcrumbs != nil || e.Contexts != nil {
		t.Errorf("report = %+v, want no user, request, breadcrumbs and contexts", e)
	}
}

// Whatever a line of the log carries, a report holds nothing of a person and no secret.
func TestReportsHoldNothingOfAPerson(t *testing.T) {
	t.Parallel()
	var got ingest
	server := httptest.NewServer(&got)
	t.Cleanup(server.Close)
	reporter := newReporter(t, server.URL)
	log := slog.New(reporter.Handler(slog.DiscardHandler))
	_, number := strconv.Atoi("Anna Canary-Musterfrau")
	canaries := map[string]any{
		"err":     fmt.Errorf("%w; %w", number, &pgconn.PgError{Message: `invalid input syntax for type uuid: "canary-session"`}),
		"reason":  "mail to anna.canary@example.com refused, key sk_live_canary51Hq9aFq2LmZ, Bearer canary.token",
		"problem": "card 4242 4242 4242 4242 of 203.0.113.77 and 2001:db8::77",
		"user_id": "canary-user", "cookie": "__Host-session=canary-session", "body": "canary", "query": "?email=canary",
		"stack": "canary", "name": "Anna Canary-Musterfrau", "_csrf": "canary-csrf", "sql": "SELECT 'canary'",
	}
	for name, value := range canaries {
		log.Error("request failed", name, value)
	}
	if err := reporter.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(got.events(t)); n != len(canaries) {
		t.Fatalf("%d reports, want %d", n, len(canaries))
	}
	for _, canary := range []string{"anary", "4242 4242", "203.0.113.77", "db8::77", "SELECT"} {
		if strings.Contains(got.text.String(), canary) {
			t.Errorf("a report holds %q:\n%s", canary, &got.text)
		}
	}
}

// A Sentry that never answers delays neither the log nor, longer than it is given, the end of the program.
func TestSilentSentryDelaysNothing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	reporter := newReporter(t, "http://"+listener.Addr().String())
	log := slog.New(reporter.Handler(slog.DiscardHandler))
	for range 500 { // more than are kept
		log.Error("request failed", "err", errors.New("away"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := reporter.Flush(ctx); err == nil {
		t.Error("flushed, want an error: nothing was received")
	}
}

// A DSN that is none ends the start with the variable's name.
func TestBadDSN(t *testing.T) {
	t.Parallel()
	_, err := errorreport.New(errorreport.Options{DSN: "https://canary", Release: "v1"})
	if err == nil || !strings.Contains(err.Error(), "SENTRY_DSN") || strings.Contains(err.Error(), "canary") {
		t.Errorf("err = %v, want one that names SENTRY_DSN and not its value", err)
	}
}
