package tracing

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Reference names a span of any trace. The zero value names none.
type Reference struct{ context trace.SpanContext }

const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
)

// format is how references are written.
// Source: https://www.w3.org/TR/trace-context/
var format propagation.TraceContext

// Of returns the reference of a context's span.
func Of(ctx context.Context) Reference { return Reference{trace.SpanContextFromContext(ctx)} }

// String returns the reference as a traceparent header, or "" if it names no span.
func (r Reference) String() string {
	if !r.context.IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	format.Inject(trace.ContextWithSpanContext(context.Background(), r.context), carrier)
	return carrier[traceparent]
}

// Parse reads what String wrote. Anything else names no span.
func Parse(text string) Reference {
	if text == "" {
		return Reference{}
	}
	return Of(format.Extract(context.Background(), propagation.MapCarrier{traceparent: text}))
}

// Continue returns a context whose next span continues the trace of a caller, as its headers name it. Call it only for
// callers whose word counts: the header also decides whether the trace is recorded.
func Continue(ctx context.Context, parent, state string) context.Context {
	if parent == "" {
		return ctx
	}
	return format.Extract(ctx, propagation.MapCarrier{traceparent: parent, tracestate: state})
}
