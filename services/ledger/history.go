package ledger

import (
	"context"
	"fmt"
	"sync"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Service reads the ledger.
type Service struct {
	DB *gorm.DB

	exports     chan struct{} // one place for each that may be open
	exportsOnce sync.Once
}

// Page is one stretch of a user's history, newest first. Next is the cursor of the one after it, 0 at the end.
type Page struct {
	Entries []models.CreditTransaction
	Next    int64
}

// History returns up to limit lines of the user's ledger older than the line numbered before; 0 begins at the newest.
func (s *Service) History(ctx context.Context, userID, before int64, limit int) (Page, error) {
	return s.Search(ctx, userID, before, limit, Filter{})
}

// OfPurchase returns what one purchase did to the ledger of one user, or of all whose it ever was where userID is 0,
// oldest first.
func (s *Service) OfPurchase(ctx context.Context, purchaseID string, userID int64) ([]models.CreditTransaction, error) {
	var rows []models.CreditTransaction
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM credit_transactions
		WHERE meta ->> 'purchase_id' = @purchase AND @user IN (0, user_id) ORDER BY id`, map[string]any{"purchase": purchaseID, "user": userID}).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("ledger of purchase %s: %w", purchaseID, err)
	}
	return rows, nil
}
