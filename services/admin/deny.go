package admin

import (
	"context"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// deniedPath is how much of a refused request's address the audit log keeps, in bytes.
const deniedPath = 200

// Deny writes down that a user who is no admin asked for a page of admins, which says what object they were after. The
// caller bounds how often: a flood of requests must not become one of lines that nobody can remove.
//
// Idempotent: no.
func (s *Service) Deny(ctx context.Context, userID int64, method, path string) error {
	if len(path) > deniedPath {
		path = path[:deniedPath]
	}
	return postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		return models.AppendAudit(tx, models.AuditEvent{
			Action: models.ActionAdminDeny, UserID: userID, Detail: map[string]any{"method": method, "path": path},
		})
	})
}
