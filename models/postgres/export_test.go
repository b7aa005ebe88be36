package postgres

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
)

// ConnConfig is how a pool connects to an address, and whether that leads to a pooler.
func ConnConfig(address string) (*pgx.ConnConfig, bool, error) { return connConfig(address) }

// OpenTraced is Open with a log line for each statement, as if all were slow.
func OpenTraced(url string, log *slog.Logger) (*gorm.DB, error) { return open(url, 0, log, 0) }

// Retried runs work as a pool does.
func Retried(ctx context.Context, run func() (int, error)) (int, error) {
	return retried(ctx, pool{}, run)
}

// MigrationLimit is the lock_timeout of a migration at an address, and how long it waits between two attempts.
func MigrationLimit(address string) (string, time.Duration) { return migrationLimit(address) }

// Unanswered reports whether the error of a COMMIT leaves open whether it took effect.
func Unanswered(err error) bool { return unanswered(err) }
