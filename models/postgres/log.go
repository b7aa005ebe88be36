package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

const slowQuery = 500 * time.Millisecond

// sqlLogger sends GORM's messages to slog. Statements carry placeholders, never values.
type sqlLogger struct{ log *slog.Logger }

func newSQLLogger(log *slog.Logger) logger.Interface {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &sqlLogger{log: log}
}

// ParamsFilter keeps values out of logged statements.
func (l *sqlLogger) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
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
