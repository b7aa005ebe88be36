package webhook

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/services/tracing"
	"github.com/resume-matcher/credits/services/tracing/tracetest"
)

// The event that books a purchase comes without a trace. It points to the request that ordered the purchase, also when
// the worker books it later.
func TestBookingPointsToTheOrder(t *testing.T) {
	t.Parallel()
	const order = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
	for name, deliver := range map[string]func(context.Context, *fixture, string){
		"receive event": func(ctx context.Context, s *fixture, payload string) {
			s.must(s.Receive(ctx, []byte(payload), sign(payload, testSecret, s.clock)))
		},
		"book stored event": func(ctx context.Context, s *fixture, payload string) {
			event, err := verify([]byte(payload), sign(payload, testSecret, s.clock), s.Secrets, s.clock)
			s.must(err)
			_, err = s.store(ctx, s.rowOf(event, []byte(payload)))
			s.must(err)
			s.clock = s.clock.Add(inlineGrace)
			s.must(s.BookDue(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, collector := newFixture(t), tracetest.New(t)
			tracer, err := tracing.New(t.Context(), tracing.Options{URL: collector.URL, Log: slog.New(slog.DiscardHandler)})
			s.must(err)
			s.must(s.DB.Exec(`UPDATE purchases SET traceparent = ?`, "00-"+order+"-01").Error)
			deliver(tracer.Into(t.Context()), s, s.completed("evt_1", "cs_1", "paid"))
			s.must(tracer.Shutdown(t.Context()))
			s.wantBalance(1200)
			steps := collector.Named(name)
			if len(steps) != 1 || steps[0].Attributes["stripe.event_id"] != "evt_1" {
				t.Fatalf("spans %+v, want one %s of evt_1", collector.Spans(), name)
			}
			if !slices.ContainsFunc(collector.Of(steps[0].Trace), func(span tracetest.Span) bool {
				return span.Name == "transaction" && strings.Join(span.Links, " ") == order
			}) {
				t.Errorf("spans %+v, want a transaction that links to %s", collector.Of(steps[0].Trace), order)
			}
		})
	}
}
