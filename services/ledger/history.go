package ledger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Service reads the ledger.
type Service struct {
	DB *gorm.DB

	exports     chan struct{} // a slot for each open export
	exportsOnce sync.Once

	recent atomic.Pointer[start] // of the last call of firstSince
}

// Page is one page of a user's history, newest first. Next is the cursor of the next page, 0 at the end.
type Page struct {
	Entries []models.CreditTransaction
	Next    int64
}

// History returns up to limit of the user's entries with ids below before; 0 starts at the newest.
func (s *Service) History(ctx context.Context, userID, before int64, limit int) (Page, error) {
	return s.Search(ctx, userID, before, limit, Filter{})
}

// OfPurchase returns the entries of a purchase, oldest first: those of one user or, for userID 0, of every user who has
// owned it.
func (s *Service) OfPurchase(ctx context.Context, purchaseID string, userID int64) ([]models.CreditTransaction, error) {
	var rows []models.CreditTransaction
	err := s.DB.WithContext(ctx).Raw(`SELECT * FROM credit_transactions
		WHERE meta ->> 'purchase_id' = @purchase AND @user IN (0, user_id) ORDER BY id`, map[string]any{"purchase": purchaseID, "user": userID}).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read entries of purchase %s: %w", purchaseID, err)
	}
	return rows, nil
}
