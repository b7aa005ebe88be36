package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// RunSweeps removes what has run out, now and after each pause, until ctx ends. Any number of replicas may run it.
func RunSweeps(ctx context.Context, log *slog.Logger, pause time.Duration, sweeps ...func(context.Context) (int64, error)) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		for _, sweep := range sweeps {
			if _, err := sweep(ctx); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "what has run out was not removed", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Sweep deletes the counts of minutes that are over and says how many rows that were.
func (k *Keys) Sweep(ctx context.Context) (int64, error) {
	done := k.db.WithContext(ctx).Exec(`DELETE FROM rate_windows WHERE minute < now() - interval '2 minutes'`)
	if done.Error != nil {
		return 0, fmt.Errorf("sweep limits: %w", done.Error)
	}
	return done.RowsAffected, nil
}
