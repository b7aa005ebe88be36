package spend

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
)

// maxFeatureLength is the database's own limit, in bytes (feature_prices_feature_named).
const maxFeatureLength = 50

// Features returns what credits can be spent on now and what each feature costs: the three of the beginning in the
// order in which a job seeker meets them, then those that the operator added, oldest first.
func (s *Service) Features(ctx context.Context) ([]models.FeaturePrice, error) {
	var rows []models.FeaturePrice
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM feature_prices WHERE active
		ORDER BY array_position(ARRAY['resume_analysis', 'job_match', 'resume_improvement'], feature), created_at, feature`).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("feature prices: %w", err)
	}
	return rows, nil
}
