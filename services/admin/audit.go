package admin

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/address"
)

// AuditQuery filters the audit log. The zero value matches every entry.
type AuditQuery struct {
	Action      string
	User        string    // id or whole e-mail address of the actor or the user
	From, Until time.Time // at or after From and before Until; zero for no bound
	Object      string    // an id that the entry names: of its request, or of a purchase, ledger entry, key or feature
	Before      int64     // entries with a lower id; 0 starts at the newest
	Limit       int
}

// Audit returns audit entries, newest first. next is the Before of the next page, 0 at the end.
func (s *Service) Audit(ctx context.Context, q AuditQuery) (entries []models.AuditEntry, next int64, err error) {
	query := s.DB.WithContext(ctx)
	if q.Before > 0 {
		query = query.Where("id < ?", q.Before)
	}
	if q.Action != "" {
		query = query.Where("action = ?", q.Action)
	}
	if user := strings.TrimSpace(q.User); user != "" {
		query = query.Where(`(user_id IN (SELECT id FROM users WHERE id::text = @user OR email = @address)
			OR actor_id IN (SELECT id FROM users WHERE id::text = @user OR email = @address))`,
			sql.Named("user", user), sql.Named("address", address.Parse(user)))
	}
	if !q.From.IsZero() {
		query = query.Where("created_at >= ?", q.From)
	}
	if !q.Until.IsZero() {
		query = query.Where("created_at < ?", q.Until)
	}
	if q.Object != "" {
		query = query.Where(`(request_id = @object OR EXISTS (
			SELECT FROM jsonb_each_text(detail) fact WHERE fact.key <> 'note' AND fact.value = @object))`, sql.Named("object", q.Object))
	}
	if err := query.Order("id DESC").Limit(q.Limit + 1).Find(&entries).Error; err != nil {
		return nil, 0, fmt.Errorf("read the audit log: %w", err)
	}
	if len(entries) > q.Limit {
		entries = entries[:q.Limit]
		next = entries[q.Limit-1].ID
	}
	return entries, next, nil
}

// AuditOf returns the newest audit entries about one user.
func (s *Service) AuditOf(ctx context.Context, userID int64, limit int) ([]models.AuditEntry, error) {
	var entries []models.AuditEntry
	err := s.DB.WithContext(ctx).Where("user_id = ?", userID).Order("id DESC").Limit(limit).Find(&entries).Error
	if err != nil {
		return nil, fmt.Errorf("read the audit log of user %d: %w", userID, err)
	}
	return entries, nil
}
