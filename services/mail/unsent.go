package mail

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// unsentSQL selects the letters that an admin should know of: those that failed, and those that have waited for long.
const unsentSQL = ` FROM letters l WHERE (l.status = 'failed' OR l.status = 'waiting' AND l.created_at < now() - interval '1 hour')`

// Unsent lists the letters that were not sent, failed ones first and then the oldest.
func (s *Service) Unsent(ctx context.Context, limit int) ([]models.UnsentLetter, error) {
	var rows []models.UnsentLetter
	err := s.DB.WithContext(ctx).Raw(`SELECT l.*, coalesce(u.name, '') AS user_name, u.deleted_at AS user_deleted_at
		FROM (SELECT l.*`+unsentSQL+`) l LEFT JOIN users u ON u.id = l.user_id
		ORDER BY (l.status = 'waiting'), l.created_at, l.id LIMIT ?`, limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list letters not sent: %w", err)
	}
	for i := range rows {
		if rows[i].LastError == "" {
			rows[i].LastError = s.unattempted()
		}
	}
	return rows, nil
}

// CountUnsent counts the letters that were not sent.
func (s *Service) CountUnsent(ctx context.Context) (n int64, err error) {
	if err := s.DB.WithContext(ctx).Raw(`SELECT count(*)` + unsentSQL).Scan(&n).Error; err != nil {
		return 0, fmt.Errorf("count letters not sent: %w", err)
	}
	return n, nil
}

// retrySQL starts the attempts of letters again: at once after a failure, else once no worker can be sending them.
const retrySQL = `UPDATE letters SET status = 'waiting', expires_at = DEFAULT,
	attempts = CASE status WHEN 'failed' THEN 0 ELSE attempts END,
	next_attempt_at = CASE status WHEN 'failed' THEN now() ELSE least(next_attempt_at, now() + CAST(@pause AS interval)) END
	WHERE `

// Retry sends a letter again, under the same Message-ID.
//
// Locks: the letter. Errors: fault.NotFound when it is unknown, sent or dropped.
func (s *Service) Retry(ctx context.Context, id string) error {
	return s.change(ctx, id, models.ActionLetterRetry, retrySQL)
}

// Close gives up a letter.
//
// Locks: the letter. Errors: as Retry.
func (s *Service) Close(ctx context.Context, id string) error {
	if err := s.change(ctx, id, models.ActionLetterClose, `UPDATE letters SET status = 'dropped' WHERE `); err != nil {
		return err
	}
	return forgetGone(s.DB.WithContext(ctx), "id = ?", id)
}

// change runs the beginning of a statement for one letter that was not sent, and audits it.
func (s *Service) change(ctx context.Context, id string, action models.Action, statement string) error {
	letter, err := uuid.Parse(id)
	if err != nil {
		return fault.New(fault.NotFound, nil)
	}
	return postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		var users []int64
		err := tx.Raw(statement+`id = @id AND status IN ('failed', 'waiting') RETURNING coalesce(user_id, 0)`,
			map[string]any{"id": letter, "pause": firstPause.String()}).Scan(&users).Error
		if err != nil {
			return fmt.Errorf("%s of letter %s: %w", action, letter, err)
		}
		if len(users) == 0 {
			return fault.New(fault.NotFound, nil)
		}
		return models.AppendAudit(tx, models.AuditEvent{Action: action, UserID: users[0],
			Detail: map[string]any{"letter_id": letter}})
	})
}

// RetryFailed sends all failed letters again, and returns how many.
//
// Locks: the letters.
func (s *Service) RetryFailed(ctx context.Context) (n int64, err error) {
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		retried := tx.Exec(retrySQL+`status = 'failed'`, map[string]any{"pause": firstPause.String()})
		if retried.Error != nil {
			return fmt.Errorf("retry failed letters: %w", retried.Error)
		}
		if n = retried.RowsAffected; n == 0 {
			return nil
		}
		return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionLetterRetry,
			Detail: map[string]any{"letters": n}})
	})
	return n, err
}

// BounceOf returns how letters to a user's present address came back, nil when they do not.
func BounceOf(db *gorm.DB, userID int64) (*models.Bounce, error) {
	var rows []models.Bounce
	err := db.Raw(`SELECT b.* FROM bounces b JOIN users u ON u.id = b.user_id AND u.email = b.email WHERE u.id = ?`, userID).
		Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look for bounced letters to user %d: %w", userID, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// Bounce returns how letters to a user's present address came back, nil when they do not.
func (s *Service) Bounce(ctx context.Context, userID int64) (*models.Bounce, error) {
	return BounceOf(s.DB.WithContext(ctx), userID)
}
