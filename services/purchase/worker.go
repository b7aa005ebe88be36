package purchase

import (
	"context"
	"errors"
	"time"
)

// workerPause is how often the worker looks for what is due.
const workerPause = 2 * time.Second

// Run sends refunds that Stripe has not answered, and reads refunds again where only their list can tell, until ctx ends. Any number of replicas may run it.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(workerPause)
	defer ticker.Stop()
	for {
		if err := errors.Join(s.SendRefundsDue(ctx), s.RefreshRefundsDue(ctx)); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "purchase worker paused", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
