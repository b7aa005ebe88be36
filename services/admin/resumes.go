package admin

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// RetryResumes makes the gate ask Resume Matcher at once to delete the resumes of a deleted account.
//
// Locks: the tenant's row. Errors: fault.NotFound, with fault.ReviewOver when they are deleted.
func (s *Service) RetryResumes(ctx context.Context, userID int64) error {
	return s.changeResumes(ctx, userID, models.AuditEvent{Action: models.ActionResumesRetry},
		`UPDATE gate_users SET deletion_due_at = least(deletion_due_at, now()) WHERE user_id = ? AND deletion_due_at IS NOT NULL`)
}

// CloseResumes ends the deletion of resumes that an admin has deleted at Resume Matcher by hand.
//
// Locks: the tenant's row. Errors: fault.NotFound as RetryResumes; fault.Invalid for a missing note.
func (s *Service) CloseResumes(ctx context.Context, userID int64, d Decision) error {
	d.Note = strings.TrimSpace(d.Note)
	if err := CheckNote(d.Note); err != nil {
		return err
	}
	return s.changeResumes(ctx, userID, models.AuditEvent{ActorID: d.ActorID, Action: models.ActionResumesClose,
		RequestID: d.RequestID, Detail: map[string]any{"note": d.Note}},
		`DELETE FROM gate_users WHERE user_id = ? AND deletion_due_at IS NOT NULL`)
}

// changeResumes runs a statement about an open deletion of resumes, and audits it.
func (s *Service) changeResumes(ctx context.Context, userID int64, e models.AuditEvent, statement string) error {
	return postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		changed := tx.Exec(statement, userID)
		if changed.Error != nil {
			return fmt.Errorf("%s of user %d: %w", e.Action, userID, changed.Error)
		}
		if changed.RowsAffected == 0 {
			return notWaiting(tx.DB, models.WaitingResumes, strconv.FormatInt(userID, 10))
		}
		e.UserID = userID
		return models.AppendAudit(tx, e)
	})
}
