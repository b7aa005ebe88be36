package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
)

// Choices is what a history can be filtered by: every feature that there is or was, and the time from the first line
// to the last; both zero where there is none.
type Choices struct {
	Features    []models.FeaturePrice
	First, Last time.Time
}

// Choices returns what the user's history can be filtered by.
func (s *Service) Choices(ctx context.Context, userID int64) (Choices, error) {
	var c Choices
	db := s.DB.WithContext(ctx)
	err := db.Raw(`SELECT * FROM feature_prices ORDER BY ` + models.FeatureOrder()).Scan(&c.Features).Error
	if err != nil {
		return c, fmt.Errorf("features of a history: %w", err)
	}
	var ends []time.Time
	err = db.Raw(`(SELECT created_at FROM credit_transactions WHERE user_id = @user ORDER BY id LIMIT 1)
		UNION ALL (SELECT created_at FROM credit_transactions WHERE user_id = @user ORDER BY id DESC LIMIT 1)`,
		map[string]any{"user": userID}).Scan(&ends).Error
	if err != nil {
		return c, fmt.Errorf("length of the history of user %d: %w", userID, err)
	}
	if len(ends) == 2 {
		c.First, c.Last = ends[0], ends[1]
	}
	return c, nil
}
