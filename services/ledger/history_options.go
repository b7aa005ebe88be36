package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
)

// FilterOptions is what a history can be filtered by: every feature, active or not, and the times of the first and last
// entry, both zero for an empty history.
type FilterOptions struct {
	Features    []models.FeaturePrice
	First, Last time.Time
}

// FilterOptions returns what the user's history can be filtered by.
func (s *Service) FilterOptions(ctx context.Context, userID int64) (FilterOptions, error) {
	var o FilterOptions
	db := s.DB.WithContext(ctx)
	err := db.Raw(`SELECT * FROM feature_prices ORDER BY ` + models.FeatureOrder()).Scan(&o.Features).Error
	if err != nil {
		return o, fmt.Errorf("read the features: %w", err)
	}
	var ends []time.Time
	err = db.Raw(`(SELECT created_at FROM credit_transactions WHERE user_id = @user ORDER BY id LIMIT 1)
		UNION ALL (SELECT created_at FROM credit_transactions WHERE user_id = @user ORDER BY id DESC LIMIT 1)`,
		map[string]any{"user": userID}).Scan(&ends).Error
	if err != nil {
		return o, fmt.Errorf("bounds of the history of user %d: %w", userID, err)
	}
	if len(ends) == 2 {
		o.First, o.Last = ends[0], ends[1]
	}
	return o, nil
}
