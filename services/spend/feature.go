package spend

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// maxFeatureLength is the limit of feature_prices_feature_named, in bytes.
const maxFeatureLength = 50

// Features returns the active features and their prices.
func (s *Service) Features(ctx context.Context) ([]models.FeaturePrice, error) {
	var rows []models.FeaturePrice
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM feature_prices WHERE active ORDER BY ` + models.FeatureOrder()).
		Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read feature prices: %w", err)
	}
	return rows, nil
}
