package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

// claimPurchases moves credits that were bought without signing in to the user whose provider has verified the buyer's
// address. A user without an address gets that one. A failure does not stop the sign-in: the next sign-in tries again.
//
// Locks: the address, then as purchase.Claim, in one transaction per account. Idempotent.
func (s *Service) claimPurchases(ctx context.Context, userID int64) {
	if err := s.tryClaimPurchases(ctx, userID); err != nil {
		s.log.WarnContext(ctx, "claim purchases failed", "user_id", userID, "err", err)
	}
}

func (s *Service) tryClaimPurchases(ctx context.Context, userID int64) error {
	var guests []struct {
		ID    int64
		Email string
	}
	err := s.db.WithContext(ctx).Raw(`SELECT DISTINCT u.id, u.email FROM identities i JOIN users u ON u.email = i.email AND u.id <> i.user_id
		WHERE i.user_id = ? AND i.email_verified AND i.email <> '' AND NOT EXISTS (SELECT FROM identities WHERE user_id = u.id) ORDER BY u.id`, userID).Scan(&guests).Error
	if err != nil {
		return fmt.Errorf("unclaimed accounts of user %d: %w", userID, err)
	}
	for _, guest := range guests {
		var claimed purchase.Claimed
		err := postgres.Transaction(ctx, s.db, func(tx models.Tx) (err error) {
			if err := ledger.LockAddress(tx, guest.Email); err != nil {
				return err
			}
			if claimed, err = purchase.Claim(tx, guest.ID, userID, guest.Email); err != nil {
				return err
			}
			return assignAddress(tx, userID, s.now())
		})
		switch {
		case errors.Is(err, purchase.ErrNotClaimed):
			continue
		case err != nil:
			return fmt.Errorf("claim account %d for user %d: %w", guest.ID, userID, err)
		}
		s.log.InfoContext(ctx, "purchases claimed", "user_id", userID, "from", guest.ID,
			"purchases", claimed.Purchases, "credits", claimed.Credits)
	}
	return nil
}
