package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// slowQuery is how long a statement may take before it is logged.
const slowQuery = 500 * time.Millisecond

// slowTracer logs statements that PostgreSQL takes long to answer, and at debug level all others, with placeholders.
// The wait for a connection of the pool does not count. It does not log errors: the caller gets them.
type slowTracer struct {
	log    *slog.Logger
	limit  time.Duration
	active *activity
}

type traceKey struct{}

// statement is one that runs.
type statement struct {
	sql   string
	began time.Time
}

// TraceQueryStart notes when a statement is sent.
func (t slowTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	t.active.note(ctx)
	return context.WithValue(ctx, traceKey{}, statement{q.SQL, time.Now()})
}

// TraceQueryEnd logs a statement that took long.
func (t slowTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryEndData) {
	s, _ := ctx.Value(traceKey{}).(statement)
	t.logStatement(ctx, s, q.CommandTag)
}

// TraceBatchStart notes when a pipeline is sent.
func (t slowTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	t.active.note(ctx)
	return context.WithValue(ctx, traceKey{}, &statement{began: time.Now()})
}

// TraceBatchQuery logs a statement of a pipeline. It began when the one before it was answered.
func (t slowTracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	s, _ := ctx.Value(traceKey{}).(*statement)
	t.logStatement(ctx, statement{q.SQL, s.began}, q.CommandTag)
	s.began = time.Now()
}

// TraceBatchEnd does nothing: each statement has been logged.
func (slowTracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (t slowTracer) logStatement(ctx context.Context, s statement, done pgconn.CommandTag) {
	took, level, message := time.Since(s.began), slog.LevelDebug, "statement"
	if took >= t.limit {
		level, message = slog.LevelWarn, "slow statement"
	}
	if t.log.Enabled(ctx, level) {
		t.log.Log(ctx, level, message, "sql", s.sql, "rows", done.RowsAffected(), "ms", took.Milliseconds())
	}
}
