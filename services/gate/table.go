package gate

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/services/gate/routes"
)

// ParseRoutes parses a route table, the preset if text is empty. Its features must exist; they may be switched off.
func ParseRoutes(ctx context.Context, db *gorm.DB, text []byte) (*routes.Table, error) {
	var features []string
	if err := db.WithContext(ctx).Raw(`SELECT feature FROM feature_prices`).Scan(&features).Error; err != nil {
		return nil, fmt.Errorf("read features: %w", err)
	}
	if len(text) == 0 {
		text = routes.Preset()
	}
	return routes.Parse(text, features)
}
