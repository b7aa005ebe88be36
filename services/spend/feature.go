package spend

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// maxFeatureLength is the database's own limit, in bytes (feature_prices_feature_named).
const maxFeatureLength = 50

// Features returns what credits can be spent on now and what each feature costs.
func (s *Service) Features(ctx context.Context) ([]models.FeaturePrice, error) {
	var rows []models.FeaturePrice
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM feature_prices WHERE active ORDER BY ` + models.FeatureOrder()).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("feature prices: %w", err)
	}
	return rows, nil
}
