package stripe_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// statements counts what is sent to a database.
type statements struct{ atomic.Int64 }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.Add(1)
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A sandbox often stands idle for hours, and its database may be paid for by use. Each look at the queue is two
// statements. The hour passes on the bubble's clock.
func TestIdleDelivererRarelyAsksTheDatabase(t *testing.T) {
	t.Parallel()
	address := dbtest.Empty(t)
	startOn(t, address, newReceiver(t)) // makes the schema
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	var sent statements
	config.Tracer = &sent
	synctest.Test(t, func(t *testing.T) {
		db := stdlib.OpenDB(*config)
		defer db.Close()
		d := delivery.New(db, delivery.Own{URL: "http://localhost"}, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		d.Run(ctx)
	})
	if n := sent.Load(); n < 2 || n > 2*121 {
		t.Errorf("%d statements in an hour without events, want 2 every 30 s at most, and at least one look", n)
	}
}
