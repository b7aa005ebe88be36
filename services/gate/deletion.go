package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/periodic"
)

// How the resumes of deleted accounts are deleted.
const (
	deletionTimeout = 30 * time.Second // of one request
	// deletionReserve is added to the time limit of a request. It covers what comes before: reading and preparing a
	// request that began before its account was deleted.
	deletionReserve = 3 * time.Minute
)

// Jobs delete the resumes of deleted accounts, and expired passes. Any number of replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	sweep := periodic.Job{Name: "sweep passes", Pause: time.Hour, Work: func(ctx context.Context) error {
		_, err := s.Sweep(ctx)
		return err
	}}
	if s.AddOn == nil {
		return []periodic.Job{sweep}
	}
	return []periodic.Job{sweep, {
		Name: "delete resumes", Work: s.DeleteDue, Args: map[string]any{"deletion_wait": s.deletionWait()},
		Due: `(SELECT min(deletion_due_at + CASE WHEN deletion_attempts = 0 THEN cast(@deletion_wait AS float8) ELSE 0 END
			* interval '1 second') FROM gate_users WHERE deletion_due_at IS NOT NULL)`,
	}}
}

// deletionWait is how long after the deletion of an account the first attempt waits, in seconds.
func (s *Service) deletionWait() float64 { return (s.Timeout + deletionReserve).Seconds() }

// claimSQL takes the deletion that has been due longest, and sets when it is due again unless this attempt succeeds:
// after 1, 2, 4, 8 and then every 15 minutes. The first attempt waits until no request can write any more.
const claimSQL = `UPDATE gate_users SET deletion_attempts = deletion_attempts + 1,
		deletion_due_at = now() + least(2 ^ least(deletion_attempts, 4), 15) * interval '1 minute'
	WHERE user_id = (SELECT user_id FROM gate_users
		WHERE deletion_due_at <= now() - CASE WHEN deletion_attempts = 0 THEN ?::float8 ELSE 0 END * interval '1 second'
		ORDER BY deletion_due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
	RETURNING user_id, tenant_id`

// deletion is a tenant whose account is deleted.
type deletion struct {
	UserID   int64
	TenantID string
}

// DeleteDue makes Resume Matcher delete the resumes of deleted accounts. The first attempt comes after the time limit
// of a request: whatever ran when the account was deleted has ended by then and writes nothing afterwards, and the
// add-on refuses while a request of the user runs. It does nothing without the add-on.
//
// Locks: the tenant's row, never while Resume Matcher is asked. Idempotent; any number of replicas may call it.
// Errors: those of the single deletions, joined.
func (s *Service) DeleteDue(ctx context.Context) (failed error) {
	if s.AddOn == nil {
		return nil
	}
	for {
		var claimed []deletion
		err := s.DB.WithContext(ctx).Raw(claimSQL, s.deletionWait()).Scan(&claimed).Error
		if err != nil {
			return errors.Join(failed, fmt.Errorf("find resumes to delete: %w", err))
		}
		if len(claimed) == 0 {
			return failed
		}
		failed = errors.Join(failed, s.deleteResumes(ctx, claimed[0]))
	}
}

// deleteResumes asks once, and stores the outcome.
func (s *Service) deleteResumes(ctx context.Context, d deletion) error {
	cause, err := s.askToDelete(ctx, d.TenantID)
	if cause == "" {
		return s.endDeletion(ctx, d.UserID)
	}
	stored := s.DB.WithContext(ctx).Exec(`UPDATE gate_users SET deletion_cause = ?
		WHERE user_id = ? AND deletion_due_at IS NOT NULL`, cause, d.UserID).Error
	return fmt.Errorf("delete the resumes of user %d: %w", d.UserID, errors.Join(cause, err, stored))
}

// askToDelete returns why Resume Matcher has not deleted a tenant's resumes; empty when it has.
func (s *Service) askToDelete(ctx context.Context, tenant string) (models.Cause, error) {
	ctx, cancel := context.WithTimeout(ctx, deletionTimeout)
	defer cancel()
	if err := s.AddOn.Ready(ctx, tenant); err != nil {
		return models.CauseResumesAway, err
	}
	answer, err := s.Upstream.askAddOn(ctx, http.MethodDelete, tenant, tenant)
	if err != nil {
		s.AddOn.suspect(tenant, err)
		return models.CauseResumesAway, err
	}
	_ = answer.Body.Close() // the status and the mark say all
	named := only(answer.Header.Values(s.Upstream.Identity.User), tenant)
	switch {
	case answer.StatusCode == http.StatusOK && named:
		return "", nil
	case answer.StatusCode == http.StatusConflict && named:
		return models.CauseResumesInUse, nil
	}
	if !named {
		s.AddOn.suspect(tenant, errUnnamed)
	}
	return models.CauseResumesKept.Of(strconv.Itoa(answer.StatusCode)), nil
}

// endDeletion removes the tenant and records that its resumes are deleted.
func (s *Service) endDeletion(ctx context.Context, userID int64) error {
	ended := false
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		gone := tx.Exec(`DELETE FROM gate_users WHERE user_id = ? AND deletion_due_at IS NOT NULL`, userID)
		if ended = gone.RowsAffected > 0; gone.Error != nil || !ended {
			return gone.Error
		}
		return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionResumesDelete, UserID: userID})
	})
	if err != nil {
		return fmt.Errorf("end the deletion of the resumes of user %d: %w", userID, err)
	}
	if ended {
		s.Log.InfoContext(ctx, "resumes deleted", "user_id", userID)
	}
	return nil
}
