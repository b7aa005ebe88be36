package admin

import (
	"context"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// maxDeniedPath is how much of a denied request's path the audit log keeps, in bytes.
const maxDeniedPath = 200

// AuditDenied writes an audit entry about a user without admin rights who requested an admin page. The caller limits
// the rate: audit entries cannot be removed, so a flood of requests must not become a flood of entries.
//
// Idempotent: no.
func (s *Service) AuditDenied(ctx context.Context, userID int64, method, path string) error {
	path = path[:min(len(path), maxDeniedPath)]
	return postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		return models.AppendAudit(tx, models.AuditEvent{
			Action: models.ActionAdminDeny, UserID: userID, Detail: map[string]any{"method": method, "path": path},
		})
	})
}
