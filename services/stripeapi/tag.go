package stripeapi

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// TagKey is the metadata key under which all that we create at Stripe carries the id of the installation that made it.
const TagKey = "credits_installation"

// ReadInstallation reads which installation of the product this is.
func ReadInstallation(db *gorm.DB) (models.Installation, error) {
	var i models.Installation
	if err := db.Raw(`SELECT id, created_at FROM installations`).Take(&i).Error; err != nil {
		return i, fmt.Errorf("read the installation: %w", err)
	}
	return i, nil
}

// Foreign reports whether an object at Stripe carries the tag of another installation.
func Foreign(metadata map[string]string, i models.Installation) bool {
	tag := metadata[TagKey]
	return tag != "" && tag != i.ID.String()
}
