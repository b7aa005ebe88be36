package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Kind says on which side of a call a span is.
type Kind trace.SpanKind

// The kinds.
const (
	Internal = Kind(trace.SpanKindInternal)
	Server   = Kind(trace.SpanKindServer)
	Client   = Kind(trace.SpanKindClient)
)

// Span is one step of a trace. The zero value records nothing.
type Span struct{ span trace.Span }

// Start starts a span below that of ctx, or a new trace if ctx has none. The caller ends it.
func Start(ctx context.Context, name string, kind Kind) (context.Context, Span) {
	t, _ := ctx.Value(tracerKey{}).(*Tracer)
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKind(kind)))
	return ctx, Span{span}
}

// Child starts a span below that of ctx. Without one it records nothing: background work would fill the collector with
// traces of one span.
func Child(ctx context.Context, name string) (context.Context, Span) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, Span{}
	}
	return Start(ctx, name, Internal)
}

// On reports whether the span is recorded. Ask it before work that only a recorded span needs.
func (s Span) On() bool { return s.span != nil && s.span.IsRecording() }

// Rename gives the span the name that is known only later.
func (s Span) Rename(name string) {
	if s.span != nil {
		s.span.SetName(name)
	}
}

// Set adds a fact.
func (s Span) Set(key, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// SetInt adds a number.
func (s Span) SetInt(key string, value int) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int(key, value))
	}
}

// Fail marks the span as failed. It has no text: the text of an error may quote user input.
func (s Span) Fail() {
	if s.span != nil {
		s.span.SetStatus(codes.Error, "")
	}
}

// Link points from the span to another, which may be of another trace.
func (s Span) Link(to Reference) {
	if s.span != nil && to.context.IsValid() {
		s.span.AddLink(trace.Link{SpanContext: to.context})
	}
}

// End ends the span, as failed if err is not nil.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.Fail()
	}
	s.span.End()
}

// Current returns the span of ctx.
func Current(ctx context.Context) Span {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return Span{span}
	}
	return Span{}
}
