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

// claim gives a user who has just signed in, or linked a sign-in, what waits for an address that one of their providers
// has verified: credits that were bought without signing in. The address becomes theirs where they have no other.
//
// Nobody is kept from signing in by it: what cannot be claimed now is claimed by the next sign-in.
//
// Locks: the address, then as purchase.Claim; in a transaction of its own for each account. Idempotent.
func (s *Service) claim(ctx context.Context, userID int64) {
	if err := s.claimWaiting(ctx, userID); err != nil {
		s.log.WarnContext(ctx, "claim of an account failed", "user_id", userID, "err", err)
	}
}

func (s *Service) claimWaiting(ctx context.Context, userID int64) error {
	var guests []struct {
		ID    int64
		Email string
	}
	err := s.db.WithContext(ctx).Raw(`SELECT DISTINCT u.id, u.email FROM identities i JOIN users u ON u.email = i.email AND u.id <> i.user_id
		WHERE i.user_id = ? AND i.email_verified AND i.email <> '' AND NOT EXISTS (SELECT FROM identities WHERE user_id = u.id) ORDER BY u.id`, userID).Scan(&guests).Error
	if err != nil {
		return fmt.Errorf("accounts that wait for user %d: %w", userID, err)
	}
	for _, guest := range guests {
		var got purchase.Claimed
		err := postgres.Transaction(ctx, s.db, func(tx models.Tx) (err error) {
			if err := ledger.LockAddress(tx, guest.Email); err != nil {
				return err
			}
			if got, err = purchase.Claim(tx, guest.ID, userID, guest.Email); err != nil {
				return err
			}
			return settleAddress(tx, userID, s.now())
		})
		switch {
		case errors.Is(err, purchase.ErrNotClaimed):
			continue
		case err != nil:
			return fmt.Errorf("claim account %d for user %d: %w", guest.ID, userID, err)
		}
		s.log.InfoContext(ctx, "account claimed", "user_id", userID, "from", guest.ID, "purchases", got.Purchases, "credits", got.Credits)
	}
	return nil
}
