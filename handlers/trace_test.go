package handlers

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/services/sandbox/resumematcher"
	"github.com/resume-matcher/credits/services/tracing"
	"github.com/resume-matcher/credits/services/tracing/tracetest"
)

// traced records the fixture's requests until the returned function is called.
func (f *fixture) traced() (*tracetest.Collector, func()) {
	f.t.Helper()
	collector := tracetest.New(f.t)
	tracer, err := tracing.New(f.t.Context(), tracing.Options{URL: collector.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.handler.Tracing = tracer
	return collector, func() {
		if err := tracer.Shutdown(f.t.Context()); err != nil {
			f.t.Error(err)
		}
	}
}

// A request is a span with its route, status and id. A probe is none, and no span holds what a sender wrote.
func TestRequestsAreSpans(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	collector, stop := f.traced()
	want := map[string]string{}
	for _, c := range []struct{ method, path, name, status string }{
		{"GET", "/en/purchase/canary?email=canary", "GET /:locale/purchase/:id", "404"},
		{"GET", "/canary", "GET /**", "404"},
		{"GET", "/api/v1/resumes/canary/cover-letter", "", "404"},
		{"GET", "/de/history", "GET /:locale/history", "200"},
		{"GET", "/healthz", "", "200"},
		{"GET", "/dashboard", "GET /**", "200"},
	} {
		r := f.call(c.method, c.path, "", f.cookie, "User-Agent: canary")
		want[r.header.Get("X-Request-ID")] = c.name + " " + c.status
	}
	stop()
	for _, span := range collector.Spans() {
		if id := span.Attributes["request_id"]; id != "" {
			if got := span.Name + " " + span.Attributes["http.response.status_code"]; got != want[id] && want[id][0] != ' ' {
				t.Errorf("span %q, want %q", got, want[id])
			}
			if span.Name != span.Attributes["http.request.method"]+" "+span.Attributes["http.route"] ||
				span.Kind != "SPAN_KIND_SERVER" || span.Parent != "" {
				t.Errorf("span %+v, want a server's root span named after method and route", span)
			}
			delete(want, id)
		}
	}
	if len(want) != 1 {
		t.Errorf("no span for %v, want one for each but the probe", want)
	}
	if strings.Contains(string(collector.Raw()), "canary") {
		t.Errorf("a span holds what a sender wrote: %+v", collector.Spans())
	}
	for i, call := range collector.Named("GET Resume Matcher") {
		if want := []string{"404", "200"}[i]; call.Attributes["http.response.status_code"] != want || call.Parent == "" {
			t.Errorf("call of Resume Matcher %+v, want it with status %s, below the request", call, want)
		}
	}
}

// A charged request is one trace: hold, question, capture.
func TestChargedRequestIsOneTrace(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	collector, stop := f.traced()
	f.matcher.SetModel(resumematcher.Good)
	if r := f.call("POST", "/api/v1/resumes/upload", uploadBody(64), f.cookie, ownOrigin,
		"Content-Type: multipart/form-data; boundary=x"); r.status != 200 {
		t.Fatalf("status %d, %s; want 200", r.status, r.body)
	}
	stop()
	root := collector.Named("POST /api/v1/resumes/upload")
	if len(root) != 1 {
		t.Fatalf("spans %+v, want one request", collector.Spans())
	}
	var names []string
	for _, span := range collector.Of(root[0].Trace) {
		names = append(names, span.Name)
	}
	if got := strings.Join(names, ", "); strings.Count(got, "batch") != 2 || strings.Count(got, "transaction") < 2 ||
		strings.Count(got, "POST Resume Matcher") != 1 {
		t.Errorf("trace: %s; want two batches with transactions, and the question", got)
	}
}

// A trusted proxy's trace is continued. A stranger cannot join a trace, nor decide what is recorded.
func TestTraceparentCountsFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for name, c := range map[string]struct {
		proxies []string
		trace   string
	}{"a trusted proxy": {[]string{"127.0.0.0/8"}, trace}, "a stranger": {[]string{"192.0.2.1"}, ""}} {
		f := newFixture(t)
		collector, stop := f.traced()
		proxies, err := transport.ParseProxies(c.proxies)
		if err != nil {
			t.Fatal(err)
		}
		f.handler.Site.Proxies = proxies
		address, _ := f.serve(transport.Slots{})
		for _, flags := range []string{"01", "00"} {
			dial(t, address).send("GET /en/login HTTP/1.1\r\nHost: localhost\r\nTraceparent: 00-" + trace +
				"-00f067aa0ba902b7-" + flags + "\r\nConnection: close\r\n\r\n")
		}
		stop()
		requests := collector.Named("GET /:locale/login")
		if c.trace != "" && (len(requests) != 1 || requests[0].Trace != c.trace || requests[0].Parent != "00f067aa0ba902b7") {
			t.Errorf("%s: spans %+v, want the sampled request below the proxy's span", name, requests)
		}
		if c.trace == "" && (len(requests) != 2 || requests[0].Trace == trace || requests[1].Trace == trace) {
			t.Errorf("%s: spans %+v, want a new trace for each request", name, requests)
		}
	}
}

// A span has failed if the server did, not if the sender did.
func TestFailuresOfTheServerAreFailedSpans(t *testing.T) {
	t.Parallel()
	f := newGateFixture(t)
	collector, stop := f.traced()
	for _, c := range []struct {
		transport resumematcher.Transport
		status    int
	}{{resumematcher.Normal, 200}, {resumematcher.CutBefore, 502}} {
		f.matcher.SetTransport(c.transport)
		if r := f.call("POST", "/api/v1/resumes/upload", uploadBody(64), f.cookie, ownOrigin,
			"Content-Type: multipart/form-data; boundary=x"); r.status != c.status {
			t.Fatalf("status %d, %s; want %d", r.status, r.body, c.status)
		}
	}
	stop()
	spans := collector.Named("POST /api/v1/resumes/upload")
	for _, span := range spans {
		if status := span.Attributes["http.response.status_code"]; span.Failed != (status == "502") {
			t.Errorf("status %s: failed %v, want %v", status, span.Failed, status == "502")
		}
	}
	if len(spans) != 2 {
		t.Errorf("%d spans, want 2", len(spans))
	}
}
