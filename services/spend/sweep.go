package spend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/periodic"
)

// How often expired holds are looked for, and of how many users at a time.
const (
	sweepPause = 2 * time.Second
	sweepBatch = 200
)

// Run releases the credits of expired holds until ctx ends. Any number of replicas may run it.
func (s *Service) Run(ctx context.Context) {
	periodic.Job{Name: "expire holds", Pause: sweepPause, Work: func(ctx context.Context) error {
		_, err := s.ExpireDue(ctx)
		return err
	}}.Run(ctx, s.Log)
}

// ExpireDue gives back every hold whose time is over by the database's clock, and returns how many it ended.
//
// Locks: a user, then their holds, in a transaction of their own. Idempotent. Errors: those of the users whose holds could not
// be ended, after all were tried.
func (s *Service) ExpireDue(ctx context.Context) (int64, error) {
	var ended int64
	var failed error
	for after := int64(0); ; {
		var users []int64
		err := s.DB.WithContext(ctx).Raw(`SELECT DISTINCT user_id FROM holds WHERE status = 'open' AND expires_at <= now() AND user_id > ?
			ORDER BY user_id LIMIT ?`, after, sweepBatch).Scan(&users).Error
		if err != nil {
			return ended, fmt.Errorf("users of expired holds: %w", err)
		}
		for _, user := range users {
			freed, err := s.expire(ctx, user)
			if err != nil { // one user who cannot be had now must not keep the others waiting
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
