package spend

import (
	"context"
	"errors"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/periodic"
)

const sweepBatch = 200 // users per query

// Jobs release the credits of expired holds. Any number of replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	return []periodic.Job{{Name: "expire holds", Due: `(SELECT min(expires_at) FROM holds WHERE status = 'open')`,
		Work: func(ctx context.Context) error {
			_, err := s.ExpireDue(ctx)
			return err
		}}}
}

// ExpireDue expires every hold that is past its time by the database's clock, and returns how many.
//
// Locks: a user, then their holds, in one transaction per user. Idempotent. Errors: of the failed users, after trying
// all.
func (s *Service) ExpireDue(ctx context.Context) (int64, error) {
	var ended int64
	var failed error
	for after := int64(0); ; {
		var users []int64
		err := s.DB.WithContext(ctx).
			Raw(`SELECT DISTINCT user_id FROM holds WHERE status = 'open' AND expires_at <= now() AND user_id > ?
			ORDER BY user_id LIMIT ?`, after, sweepBatch).Scan(&users).Error
		if err != nil {
			return ended, fmt.Errorf("find users with expired holds: %w", err)
		}
		for _, user := range users {
			freed, err := s.expire(ctx, user)
			if err != nil { // a locked user must not delay the others
				failed = errors.Join(failed, err)
			}
			if ctx.Err() != nil {
				return ended, failed
			}
			ended += freed.Holds
			after = user
		}
		if len(users) < sweepBatch {
			return ended, failed
		}
	}
}

func (s *Service) expire(ctx context.Context, userID int64) (ledger.Expired, error) {
	var freed ledger.Expired
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) (err error) {
		freed, err = ledger.Expire(tx, userID)
		return err
	})
	if err == nil && freed.Holds > 0 {
		s.Log.InfoContext(ctx, "holds expired", "user_id", userID, "holds", freed.Holds, "credits", freed.Credits)
	}
	return freed, err
}
