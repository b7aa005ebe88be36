package ledger

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Service reads the ledger.
type Service struct {
	DB *gorm.DB

	exports atomic.Int32 // that are open
}

// Page is one stretch of a user's history, newest first. Next is the cursor of the one after it, 0 at the end.
type Page struct {
	Entries []models.CreditTransaction
	Next    int64
}

// History returns up to limit lines of the user's ledger older than the line numbered before; 0 begins at the newest.
func (s *Service) History(ctx context.Context, userID, before int64, limit int) (Page, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	var page Page
	err := s.DB.WithContext(ctx).Raw(`SELECT c.*, f.label_en, f.label_de FROM credit_transactions c LEFT JOIN feature_prices f ON f.feature = c.reason
		WHERE c.user_id = ? AND c.id < ? ORDER BY c.id DESC LIMIT ?`, userID, before, limit+1).Scan(&page.Entries).Error
	if err != nil {
		return page, fmt.Errorf("history of user %d: %w", userID, err)
	}
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Next = page.Entries[limit-1].ID
	}
	return page, nil
}

// OfPurchase returns what one purchase did to the ledger, oldest first.
func (s *Service) OfPurchase(ctx context.Context, purchaseID string) ([]models.CreditTransaction, error) {
	var rows []models.CreditTransaction
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM credit_transactions
		WHERE meta ->> 'purchase_id' = ? ORDER BY id`, purchaseID).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("ledger of purchase %s: %w", purchaseID, err)
	}
	return rows, nil
}
