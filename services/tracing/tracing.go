// Package tracing records what a request does as OpenTelemetry spans, and exports them to a collector. No span holds
// a path, a query, an address or a name: routes, statuses and ids only.
//
// A context without a tracer records nothing, at the cost of one lookup.
package tracing

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say where spans go and what sends them.
type Options struct {
	URL         string            // of the collector, with its path
	Headers     map[string]string // of each export, such as a key
	Version     string            // of this program
	Environment string
	Log         *slog.Logger
}

// Tracer exports spans. A nil Tracer records nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// service is the name of this program, unless OTEL_SERVICE_NAME gives another.
const service = "resume-matcher-credits"

// New returns a tracer that exports in the background. It does not connect yet. Whatever Options do not set follows
// OpenTelemetry's variables: the service's name, the sampler, sizes and time limits.
// Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func New(ctx context.Context, o Options) (*Tracer, error) {
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(o.URL)}
	if len(o.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(o.Headers))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("export traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", service), attribute.String("service.version", o.Version),
		attribute.String("deployment.environment.name", o.Environment)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this program: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithResource(about),
		sdk.WithBatcher(&loggedExporter{SpanExporter: exporter, log: o.Log}))
	return &Tracer{provider, provider.Tracer(service)}, nil
}

// Shutdown exports the spans that have ended.
func (t *Tracer) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("export the last traces: %w", err)
	}
	return nil
}

// Flush exports the spans that have ended, and goes on.
func (t *Tracer) Flush(ctx context.Context) error { return t.provider.ForceFlush(ctx) }

type tracerKey struct{}

// Into returns a context whose spans t records.
func (t *Tracer) Into(ctx context.Context) context.Context {
	if t == nil {
		return ctx
	}
	return context.WithValue(ctx, tracerKey{}, t)
}

// loggedExporter logs the first of failures in a row, and their number once an export succeeds again. The SDK would
// write each to the standard log, which nobody reads.
type loggedExporter struct {
	sdk.SpanExporter
	log      *slog.Logger
	failures int // the SDK exports one batch at a time
}

// ExportSpans exports a batch. The error has been logged.
func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil:
		if e.failures == 0 {
			e.log.WarnContext(ctx, "export of traces failed", "err", err)
		}
		e.failures++
	case e.failures > 0:
		e.log.InfoContext(ctx, "export of traces succeeds again", "failures", e.failures)
		e.failures = 0
	}
	return nil
}
