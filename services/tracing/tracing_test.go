package tracing_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/services/tracing"
	"github.com/resume-matcher/credits/services/tracing/tracetest"
)

func newTracer(t *testing.T, o tracing.Options) (*tracing.Tracer, *tracetest.Collector) {
	t.Helper()
	c := tracetest.New(t)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.URL = c.URL
	tracer, err := tracing.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tracer, c
}

func flush(t *testing.T, tracer *tracing.Tracer) {
	t.Helper()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// A span is exported at the latest when the program ends, under its parent, with its links.
func TestShutdownExportsTheTrace(t *testing.T) {
	t.Parallel()
	tracer, c := newTracer(t, tracing.Options{Version: "v1.2.3", Environment: "test"})
	ctx := tracer.Into(context.Background())
	_, other := tracing.Start(ctx, "other", tracing.Server)
	elsewhere, _ := tracing.Start(ctx, "elsewhere", tracing.Server)
	ctx, root := tracing.Start(ctx, "root", tracing.Server)
	below, child := tracing.Child(ctx, "child")
	tracing.Current(below).Link(tracing.Parse(tracing.Of(elsewhere).String()))
	child.End(errors.New("secret"))
	root.SetInt("status", 200)
	root.End(nil)
	other.End(nil)
	flush(t, tracer)
	if len(c.Spans()) != 3 {
		t.Fatalf("received %+v, want root, child and other", c.Spans())
	}
	r, ch := c.Named("root")[0], c.Named("child")[0]
	if r.Parent != "" || r.Kind != "SPAN_KIND_SERVER" || r.Attributes["status"] != "200" ||
		r.Service != "resume-matcher-credits" || r.Failed {
		t.Errorf("root = %+v, want a server's span with its status and service", r)
	}
	wantLink := strings.Join(strings.Split(tracing.Of(elsewhere).String(), "-")[1:3], "-")
	if ch.Trace != r.Trace || ch.Parent != r.ID || !ch.Failed || !slices.Equal(ch.Links, []string{wantLink}) {
		t.Errorf("child = %+v, want it failed, below %s, with a link to %s", ch, r.Ref(), wantLink)
	}
	if strings.Contains(string(c.Raw()), "secret") {
		t.Error("the export holds the text of an error")
	}
}

// Background work has no request, so its transactions do not become traces of one span.
func TestChildNeedsAParent(t *testing.T) {
	t.Parallel()
	tracer, c := newTracer(t, tracing.Options{})
	_, span := tracing.Child(tracer.Into(context.Background()), "transaction")
	span.End(nil)
	flush(t, tracer)
	if got := c.Spans(); len(got) != 0 {
		t.Errorf("received %+v, want nothing", got)
	}
}

// Without a collector, tracing allocates nothing.
func TestOffCostsNothing(t *testing.T) {
	var off *tracing.Tracer
	ctx := off.Into(context.Background())
	failure := errors.New("failed")
	if n := testing.AllocsPerRun(100, func() {
		ctx, span := tracing.Start(ctx, "root", tracing.Server)
		below, child := tracing.Child(ctx, "child")
		child.Set("route", "/:locale")
		child.SetInt("status", 200)
		child.Link(tracing.Of(below))
		tracing.Current(below).Link(tracing.Parse(""))
		if child.On() {
			t.Error("a span is recorded")
		}
		child.End(failure)
		span.Rename("other")
		span.End(nil)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if err := off.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// A collector that is away is one line of the log, and another when it answers again.
func TestCollectorAwayIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log output
	tracer, c := newTracer(t, tracing.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	export := func() {
		_, span := tracing.Start(tracer.Into(context.Background()), "request", tracing.Server)
		span.End(nil)
		if err := tracer.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	c.Refuse(http.StatusUnauthorized) // not worth repeating
	export()
	export()
	c.Refuse(0)
	export()
	if log.count("export of traces failed") != 1 || log.count("succeeds again") != 1 || log.count("failures=2") != 1 {
		t.Errorf("log:\n%s\nwant one failure, and one recovery after two", log.String())
	}
}

// output collects log lines.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write appends p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) count(part string) int { return strings.Count(o.String(), part) }

// A call of another server is a span with method, route and status. The other server learns nothing of it.
func TestTransportRecordsTheCall(t *testing.T) {
	t.Parallel()
	var received http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received = r.Header
		w.Header().Set("Request-Id", "req_1")
		w.WriteHeader(http.StatusPaymentRequired)
	}))
	t.Cleanup(server.Close)
	tracer, c := newTracer(t, tracing.Options{})
	transport := tracing.Transport{Base: http.DefaultTransport, Peer: "Stripe",
		Route:    func(*http.Request) string { return "/v1/refunds/{id}" },
		Describe: func(r *http.Response, s tracing.Span) { s.Set("stripe.request_id", r.Header.Get("Request-Id")) }}
	ctx, span := tracing.Start(tracer.Into(t.Context()), "request", tracing.Server)
	for _, address := range []string{server.URL + "/v1/refunds/re_canary?email=ada", "http://127.0.0.1:1"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := transport.RoundTrip(request); err == nil {
			answer.Body.Close()
		}
	}
	span.End(nil)
	flush(t, tracer)
	calls := c.Named("GET Stripe /v1/refunds/{id}")
	if len(calls) != 2 {
		t.Fatalf("received %+v, want two calls", c.Spans())
	}
	first := calls[0].Attributes
	if calls[0].Parent != c.Named("request")[0].ID || !calls[0].Failed || calls[0].Kind != "SPAN_KIND_CLIENT" ||
		first["http.response.status_code"] != "402" || first["stripe.request_id"] != "req_1" {
		t.Errorf("call = %+v, want it below the request, failed with 402, and Stripe's request id", calls[0])
	}
	if !calls[1].Failed {
		t.Errorf("call without an answer = %+v, want it failed", calls[1])
	}
	if received.Get("Traceparent") != "" || strings.Contains(string(c.Raw()), "canary") {
		t.Error("the other server learns of the trace, or a span holds an id")
	}
}

// The trace of a caller is continued; nonsense begins a new one.
func TestContinue(t *testing.T) {
	t.Parallel()
	tracer, c := newTracer(t, tracing.Options{})
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for name, header := range map[string]string{
		"known": "00-" + trace + "-" + parent + "-01", "unsampled": "00-" + trace + "-" + parent + "-00",
		"nonsense": "00-x-y-01", "none": "",
	} {
		_, span := tracing.Start(tracing.Continue(tracer.Into(t.Context()), header, ""), name, tracing.Server)
		span.End(nil)
	}
	flush(t, tracer)
	if known := c.Named("known"); len(known) != 1 || known[0].Trace != trace || known[0].Parent != parent {
		t.Errorf("known = %+v, want it below the caller's span", known)
	}
	if n := len(c.Named("unsampled")); n != 0 {
		t.Errorf("%d spans of an unsampled trace, want none", n)
	}
	for _, name := range []string{"nonsense", "none"} {
		if got := c.Named(name); len(got) != 1 || got[0].Parent != "" || got[0].Trace == trace {
			t.Errorf("%s = %+v, want a new trace", name, got)
		}
	}
}
