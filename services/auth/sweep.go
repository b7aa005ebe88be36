package auth

import (
	"context"
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
