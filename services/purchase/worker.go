package purchase

import (
	"context"
	"errors"
	"time"

	"github.com/resume-matcher/credits/services/periodic"
)

// workerPause is the time between two checks for refunds that are due.
const workerPause = 2 * time.Second

// Run sends the refunds that Stripe has not answered, and reads those again that only Stripe's list can settle, until
// ctx ends. Any number of replicas may run it.
func (s *Service) Run(ctx context.Context) {
	periodic.Job{Name: "send refunds", Pause: workerPause, Work: func(ctx context.Context) error {
		return errors.Join(s.SendRefundsDue(ctx), s.RefreshRefundsDue(ctx))
	}}.Run(ctx, s.Log)
}
