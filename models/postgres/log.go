package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	driver "gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

const slowQuery = 500 * time.Millisecond

// dialector writes statements for the log with their placeholders, never with values. GORM's Scan writes out each
// statement before it asks whether the log wants it, and asks no filter.
type dialector struct{ driver.Dialector }

// Explain returns the statement as it is.
func (dialector) Explain(statement string, _ ...any) string { return statement }

// sqlLogger sends GORM's messages to slog.
type sqlLogger struct{ log *slog.Logger }

func newSQLLogger(log *slog.Logger) logger.Interface {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &sqlLogger{log: log}
}

// LogMode returns l: slog filters levels itself.
func (l *sqlLogger) LogMode(logger.LogLevel) logger.Interface { return l }

// Info logs a message of GORM itself, at debug level. None of these messages concerns a row.
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

// Trace logs slow statements. It does not log errors: the caller gets them.
func (l *sqlLogger) Trace(ctx context.Context, begin time.Time, fc func() (string, int64), err error) {
	elapsed := time.Since(begin)
	if elapsed < slowQuery || errors.Is(err, gorm.ErrRecordNotFound) {
		return
	}
	statement, rows := fc()
	l.log.WarnContext(ctx, "slow statement", "sql", statement, "rows", rows, "ms", elapsed.Milliseconds())
}
