package purchase

import (
	"time"

	"github.com/resume-matcher/credits/services/periodic"
)

// Jobs send the refunds that Stripe has not answered, and read those again that only Stripe's list can settle. Any
// number of replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	return []periodic.Job{
		{Name: "send refunds", Work: s.SendRefundsDue,
			Due: `(SELECT min(next_attempt_at) FROM refund_requests WHERE status = 'pending')`},
		{Name: "read refunds again", Work: s.RefreshRefundsDue,
			Due: `(SELECT min(reread_at) FROM stripe_charges WHERE reread_at IS NOT NULL)`},
		{Name: "end holds of ended refunds", Pause: time.Hour, Work: s.EndStaleHolds},
	}
}
