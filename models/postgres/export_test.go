package postgres

import (
	"context"
	"log/slog"

	"gorm.io/gorm"
)

// OpenTraced is Open with a log line for each statement, as if all were slow.
func OpenTraced(url string, log *slog.Logger) (*gorm.DB, error) { return open(url, 0, log, 0) }

// Retried runs work as a pool does.
func Retried(ctx context.Context, run func() (int, error)) (int, error) {
	return retried(ctx, pool{}, run)
}
