package pages

import (
	"context"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// standing names a purchase's standing.
func standing(ctx context.Context, p models.Purchase) string {
	return locales.T(ctx, "purchase.status."+string(p.Standing()))
}

// standingKind returns the look of a standing.
func standingKind(p models.Purchase) components.AlertKind {
	if p.CreditsReturned() > 0 {
		return components.Warning
	}
	return statusKind(p.Status)
}

// statusKind returns the look of a status.
func statusKind(status models.PurchaseStatus) components.AlertKind {
	switch status {
	case models.PurchasePaid:
		return components.Success
	case models.PurchaseFailed, models.PurchaseExpired:
		return components.Danger
	case models.PurchaseReview, models.PurchaseReturned:
		return components.Warning
	}
	return components.Notice
}
