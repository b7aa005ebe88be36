package admin

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// What the audit log keeps of refused requests.
const (
	deniedAMinute = 10  // lines of one user: a flood of requests must not become one of lines that nobody can remove
	deniedPath    = 200 // bytes of an address
)

// Deny writes down that a user who is no admin asked for a page of admins, which says what object they were after.
//
// Idempotent: no. Beyond deniedAMinute a user's requests leave no further line until the minute is over; a few at the same
// moment may.
func (s *Service) Deny(ctx context.Context, userID int64, method, path string) error {
	if len(path) > deniedPath {
		path = path[:deniedPath]
	}
	return models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		var lines int64
		err := tx.Raw(`SELECT count(*) FROM (SELECT action, created_at FROM audit_log WHERE user_id = ? ORDER BY id DESC LIMIT ?) newest
			WHERE action = 'admin.deny' AND created_at > now() - interval '1 minute'`, userID, deniedAMinute).Scan(&lines).Error
		if err != nil {
			return fmt.Errorf("refused requests of user %d: %w", userID, err)
		}
		if lines >= deniedAMinute {
			return nil
		}
		return models.AppendAudit(tx, models.Deed{Action: "admin.deny", UserID: userID, Detail: map[string]any{"method": method, "path": path}})
	})
}
