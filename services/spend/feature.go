package spend

import (
	"context"
	"fmt"
	"slices"

	"github.com/resume-matcher/credits/models"
)

// maxFeatureLength is the limit of feature_prices_feature_named, in bytes.
const maxFeatureLength = 50

// Features returns the active features and their prices, for pages to show: see Shown.
func (s *Service) Features(ctx context.Context) ([]models.FeaturePrice, error) {
	all, err := s.AllFeatures(ctx)
	return Active(all), err
}

// Active returns the active features of a list.
func Active(features []models.FeaturePrice) []models.FeaturePrice {
	return slices.DeleteFunc(slices.Clone(features), func(f models.FeaturePrice) bool { return !f.Active })
}

// AllFeatures is Features, with the inactive ones. Callers must not modify them.
func (s *Service) AllFeatures(ctx context.Context) ([]models.FeaturePrice, error) {
	return s.Shown.Get(ctx, s.readFeatures)
}

func (s *Service) readFeatures(ctx context.Context) ([]models.FeaturePrice, error) {
	var rows []models.FeaturePrice
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM feature_prices ORDER BY ` + models.FeatureOrder()).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read feature prices: %w", err)
	}
	return rows, nil
}
