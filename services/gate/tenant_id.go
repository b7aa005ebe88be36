package gate

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/fault"
)

// tenantSQL returns a user's tenant id, and stores the offered one for a user who has none. Concurrent first calls
// agree on one id: DO UPDATE returns the row that another transaction has just stored, which DO NOTHING would not. The
// lock waits for a running deletion of the account, which would not know an id that is stored afterwards.
const tenantSQL = `WITH account AS (
	SELECT id FROM users WHERE id = @user AND deleted_at IS NULL FOR KEY SHARE
), found AS (
	SELECT tenant_id FROM gate_users JOIN account ON user_id = account.id
), made AS (
	INSERT INTO gate_users (user_id, tenant_id) SELECT id, cast(@offered AS text) FROM account WHERE NOT EXISTS (SELECT FROM found)
	ON CONFLICT (user_id) DO UPDATE SET tenant_id = gate_users.tenant_id
	RETURNING tenant_id
)
SELECT tenant_id FROM found UNION ALL SELECT tenant_id FROM made`

// TenantID returns the id under which Resume Matcher knows a user: 26 random lower-case letters and digits of 130 bits,
// made at the first call and never changed.
//
// Locks: the user. Idempotent. Errors: fault.NotFound for an unknown user or a deleted account.
func (s *Service) TenantID(ctx context.Context, userID int64) (string, error) {
	var ids []string
	err := s.DB.WithContext(ctx).Raw(tenantSQL,
		map[string]any{"user": userID, "offered": strings.ToLower(rand.Text())}).Scan(&ids).Error
	if err != nil {
		return "", fmt.Errorf("read the tenant id of user %d: %w", userID, err)
	}
	if len(ids) == 0 {
		return "", fault.New(fault.NotFound, nil)
	}
	return ids[0], nil
}

// NewestTenant returns the tenant id that was made last; empty if there is none.
func NewestTenant(ctx context.Context, db *gorm.DB) (id string, err error) {
	err = db.WithContext(ctx).Raw(`SELECT tenant_id FROM gate_users ORDER BY created_at DESC, user_id DESC LIMIT 1`).
		Scan(&id).Error
	return id, err
}
