package spend

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/tracing"
	"github.com/resume-matcher/credits/services/tracing/tracetest"
)

// A batch has one transaction for requests of several traces: it links to each of them, and each of them to it.
func TestBatchLinksItsMembers(t *testing.T) {
	t.Parallel()
	db, collector := dbtest.New(t), tracetest.New(t)
	tracer, err := tracing.New(t.Context(), tracing.Options{URL: collector.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	user := dbtest.User(t, db, "ada@example.com").ID
	var q queues
	begun, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	q.apply = func(tx models.Tx, ops ...ledger.Op) error {
		once.Do(func() {
			close(begun)
			<-proceed
		})
		return ledger.Apply(tx, ops...)
	}
	var requests sync.WaitGroup
	request := func(name string) {
		ctx, span := tracing.Start(tracer.Into(context.Background()), name, tracing.Server)
		op := &ledger.PostOp{Entry: ledger.Entry{UserID: user, Delta: 1, Reason: models.ReasonManual}}
		if err := q.do(ctx, db, 1, &job{user: user, op: op}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		span.End(nil)
	}
	requests.Go(func() { request("alone") })
	<-begun
	for range 3 {
		requests.Go(func() { request("together") })
	}
	dbtest.Eventually(t, "three requests wait", func() bool { n, _ := q.Waiting(1); return n == 3 })
	close(proceed)
	requests.Wait()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	batches, members := collector.Named("batch"), collector.Named("together")
	if len(batches) != 2 || len(members) != 3 {
		t.Fatalf("%d batches and %d members, want 2 and 3", len(batches), len(members))
	}
	batch := batches[slices.IndexFunc(batches, func(s tracetest.Span) bool { return len(s.Links) == 3 })]
	for _, m := range members {
		if !slices.Contains(batch.Links, m.Ref()) || !slices.Equal(m.Links, []string{batch.Ref()}) {
			t.Errorf("member %s links to %v, and its batch %s to %v; want each to the other", m.Ref(), m.Links, batch.Ref(),
				batch.Links)
		}
	}
	if i := slices.IndexFunc(collector.Named("transaction"), func(s tracetest.Span) bool {
		return s.Parent == batch.ID
	}); i < 0 {
		t.Error("the batch has no transaction below it")
	}
}
