package ledger

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

const (
	holdsShown = 10
	holdsRead  = 1000 // bounds the scan when a service has captured many holds since
)

// Uncharged returns the user's newest holds that took no credits: the open ones, then the released and expired ones
// among the latest holdsRead. A hold past its time counts as expired even before the sweep.
func (s *Service) Uncharged(ctx context.Context, userID int64) ([]models.Hold, error) {
	var rows []models.Hold
	if err := postgres.Pipeline(s.DB.WithContext(ctx), unchargedStatement(userID, &rows)); err != nil {
		return nil, fmt.Errorf("read holds of user %d: %w", userID, err)
	}
	return rows, nil
}

func unchargedStatement(userID int64, into *[]models.Hold) postgres.Statement {
	return postgres.Statement{SQL: `SELECT ` + holdColumns + `,
			CASE WHEN h.status = 'open' AND h.expires_at <= now() THEN 'expired' ELSE h.status END AS status FROM (
			(SELECT * FROM holds WHERE user_id = @user AND status = 'open' ORDER BY id DESC LIMIT @shown)
			UNION ALL
			(SELECT * FROM (SELECT * FROM holds WHERE user_id = @user ORDER BY id DESC LIMIT @read) latest
				WHERE status IN ('released', 'expired') ORDER BY id DESC LIMIT @shown)
		) h ORDER BY h.status = 'open' AND h.expires_at > now() DESC, h.id DESC LIMIT @shown`,
		Args: []any{map[string]any{"user": userID, "shown": holdsShown, "read": holdsRead}}, Read: postgres.All(into)}
}
