package postgres

import (
	"log/slog"

	"gorm.io/gorm"
)

// OpenTraced is Open with a log line for each statement, as if all were slow.
func OpenTraced(url string, log *slog.Logger) (*gorm.DB, error) { return open(url, 0, log, 0) }
