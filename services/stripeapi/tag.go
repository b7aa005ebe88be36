package stripeapi

import (
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// TagKey is the metadata key that holds the installation's id on every object that we create at Stripe.
const TagKey = "credits_installation"

// ReadInstallation reads the identity of this installation of the product.
func ReadInstallation(db *gorm.DB) (models.Installation, error) {
	var i models.Installation
	if err := db.Raw(`SELECT id, created_at FROM installations`).Take(&i).Error; err != nil {
		return i, fmt.Errorf("read the installation: %w", err)
	}
	return i, nil
}

// Foreign reports whether an object's metadata carries the tag of another installation.
func Foreign(metadata map[string]string, i models.Installation) bool {
	tag := metadata[TagKey]
	return tag != "" && tag != i.ID.String()
}
