package mail

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
)

// settleSQL stores the outcome of an attempt, and marks or clears the user's address. A letter that another worker has
// sent meanwhile stays sent. The user's row is locked against a change of the address, such as by a deletion.
const settleSQL = `WITH marked AS (
	INSERT INTO bounces (user_id, email, cause)
		SELECT id, email, @cause FROM users WHERE id = @user AND email = @address AND @bounced FOR SHARE
		ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, cause = excluded.cause, bounced_at = now()
), cleared AS (
	DELETE FROM bounces WHERE user_id = @user AND email = @address AND @sent
) UPDATE letters SET status = @status, last_error = @cause, sent_at = @sent_at WHERE id = @id AND status = 'waiting'`

// settle stores the outcome of an attempt.
func (s *Service) settle(ctx context.Context, l letter, status models.LetterStatus, cause models.Cause) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	var sentAt *time.Time
	if status == models.LetterSent {
		now := s.Now()
		sentAt = &now
	}
	code, _ := cause.Split()
	err := s.DB.WithContext(ctx).Exec(settleSQL, map[string]any{"id": l.ID, "status": status, "cause": cause,
		"sent_at": sentAt, "user": l.UserID, "address": cmp.Or(l.Recipient, l.Email), "sent": sentAt != nil,
		"bounced": status == models.LetterFailed && code == models.CauseMailAddress}).Error
	if err == nil && l.Gone && status != models.LetterWaiting { // the last that was owed to a deleted account
		err = s.DB.WithContext(ctx).Exec(ForgetSQL+` WHERE id = ?`, l.ID).Error
	}
	if err != nil {
		return fmt.Errorf("store the outcome of letter %s: %w", l.ID, err)
	}
	return nil
}
