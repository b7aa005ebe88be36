package postgres

import (
	"context"
	"log/slog"
	"time"

	driver "gorm.io/driver/postgres"
	"gorm.io/gorm/logger"
)

// dialector writes statements for the log with their placeholders, never with values. GORM's Scan writes out each
// statement before it asks whether the log wants it, and asks no filter.
type dialector struct{ driver.Dialector }

// Explain returns the statement as it is.
func (dialector) Explain(statement string, _ ...any) string { return statement }

// sqlLogger sends GORM's own messages to slog. None of them concerns a row: slowTracer logs statements.
type sqlLogger struct{ log *slog.Logger }

// LogMode returns l: slog filters levels itself.
func (l *sqlLogger) LogMode(logger.LogLevel) logger.Interface { return l }

// Info logs a message of GORM itself, at debug level.
func (l *sqlLogger) Info(ctx context.Context, text string, _ ...any) {
	l.log.DebugContext(ctx, "gorm", "text", text)
}

// Warn logs a warning of GORM itself.
func (l *sqlLogger) Warn(ctx context.Context, text string, _ ...any) {
	l.log.WarnContext(ctx, "gorm", "text", text)
}

// Error logs an error of GORM itself.
func (l *sqlLogger) Error(ctx context.Context, text string, _ ...any) {
	l.log.ErrorContext(ctx, "gorm", "text", text)
}

// Trace does nothing: to GORM, the wait for a connection is part of a statement.
func (l *sqlLogger) Trace(context.Context, time.Time, func() (string, int64), error) {}
