// Package metrics exports what monitoring watches, in Prometheus' format: the requests of this process, and the figures
// of the whole database, which are the same on every replica. No label names a person.
package metrics

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/resume-matcher/credits/models"
)

// Options are what a Recorder exports beside the requests.
type Options struct {
	Version, Mode string
	Pool          *sql.DB
	Figures       func(context.Context) (models.Figures, error)
	Problems      func(context.Context) map[string]bool // each that the health check knows, and whether it is there
	Codes         []string                              // of refusals
	Reasons       []string                              // why a Stripe event may fail verification
	Now           func() time.Time
}

// Recorder counts what this process does. A nil Recorder counts nothing.
type Recorder struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	events   *prometheus.CounterVec
	missing  prometheus.Counter
	gate     *prometheus.CounterVec
}

// durations are the upper bounds of the histogram of requests, in seconds. Those to Resume Matcher take minutes.
var durations = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 240}

// New returns a recorder with a registry of its own.
func New(o Options) *Recorder {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	r := &Recorder{
		registry: prometheus.NewRegistry(),
		requests: counter("credits_http_requests_total", "Answered requests.", "method", "route", "status"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "credits_http_request_duration_seconds",
			Help: "Time from the routing of a request to its answer.", Buckets: durations}, []string{"method", "route"}),
		refused: counter("credits_refusals_total", "Refused or failed requests, by the code of the answer.", "code"),
		events:  counter("credits_stripe_events_refused_total", "Stripe events that failed verification.", "reason"),
		missing: prometheus.NewCounter(prometheus.CounterOpts{Name: "credits_stripe_events_missing_total",
			Help: "Payments, refunds and disputes found at Stripe whose event should have come."}),
		gate: counter("credits_gate_requests_total", "Requests to Resume Matcher.", "route", "outcome"),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "credits_build_info", Help: "Always 1."},
		[]string{"version", "mode"})
	build.WithLabelValues(o.Version, o.Mode).Set(1)
	r.registry.MustRegister(r.requests, r.duration, r.refused, r.events, r.missing, r.gate, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewDBStatsCollector(o.Pool, "credits"), &figures{read: o.Figures, now: o.Now},
		problems{o.Problems})
	for _, reason := range o.Reasons { // from 0, or the first of a kind would be no increase
		r.events.WithLabelValues(reason)
	}
	for _, code := range o.Codes {
		r.refused.WithLabelValues(code)
	}
	return r
}

// Gatherer returns everything that is exported.
func (r *Recorder) Gatherer() prometheus.Gatherer { return r.registry }

// Request counts an answered request. route is a pattern, never a path.
func (r *Recorder) Request(method, route string, status int, took time.Duration) {
	if r == nil {
		return
	}
	r.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	r.duration.WithLabelValues(method, route).Observe(took.Seconds())
}

// Refusal counts a refused or failed request by the code of its fault.
func (r *Recorder) Refusal(code string) {
	if r != nil {
		r.refused.WithLabelValues(code).Inc()
	}
}

// EventRefused counts a Stripe event that failed verification.
func (r *Recorder) EventRefused(reason string) {
	if r != nil {
		r.events.WithLabelValues(reason).Inc()
	}
}

// EventMissing counts a payment, a refund or a dispute that was found at Stripe and whose event should have come.
func (r *Recorder) EventMissing() {
	if r != nil {
		r.missing.Inc()
	}
}

// Gate counts a request to Resume Matcher: outcome is charged, uncharged, closed, or the code of its fault.
func (r *Recorder) Gate(route, outcome string) {
	if r != nil {
		r.gate.WithLabelValues(route, outcome).Inc()
	}
}
