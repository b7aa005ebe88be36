package auth

import (
	"context"
	"log/slog"
	"time"
)

const sweepPause = time.Hour

// Run removes sessions that have run out, now and every hour, until ctx ends. Any number of replicas may run it.
func (s *Sessions) Run(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(sweepPause)
	defer ticker.Stop()
	for {
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "old sessions not removed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
