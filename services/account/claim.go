package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/user"
)

// Claim gives a user who has signed in, or linked an identity, the guest accounts of their verified addresses: credits
// that were bought without signing in. A user without an address gets the guest account's.
//
// It logs failures instead of returning them, since they must not stop a sign-in; the next one tries again.
//
// Locks: the address, then as purchase.Claim; in a transaction for each guest account. Idempotent.
func (s *Service) Claim(ctx context.Context, userID int64) {
	if err := s.claim(ctx, userID); err != nil {
		s.Log.WarnContext(ctx, "claim purchases failed", "user_id", userID, "err", err)
	}
}

func (s *Service) claim(ctx context.Context, userID int64) error {
	var guests []struct {
		ID    int64
		Email string
	}
	err := s.DB.WithContext(ctx).
		Raw(`SELECT DISTINCT u.id, u.email FROM identities i JOIN users u ON u.email = i.email AND u.id <> i.user_id
		WHERE i.user_id = ? AND i.email_verified AND i.email <> '' AND NOT EXISTS (SELECT FROM identities WHERE user_id = u.id) ORDER BY u.id`, userID).Scan(&guests).Error
	if err != nil {
		return fmt.Errorf("find guest accounts: %w", err)
	}
	for _, guest := range guests {
		var claimed purchase.Claimed
		err := ledger.Book(ctx, s.DB, s.Log, func(tx models.Tx) (_ []models.CreditTransaction, err error) {
			if err := user.LockAddress(tx, guest.Email); err != nil {
				return nil, err
			}
			if claimed, err = purchase.Claim(tx, guest.ID, userID, guest.Email); err != nil {
				return nil, err
			}
			return claimed.Rows, user.AssignAddress(tx, userID, s.Now())
		}, nil)
		switch {
		case errors.Is(err, purchase.ErrNotClaimed):
			continue
		case err != nil:
			return fmt.Errorf("claim account %d for user %d: %w", guest.ID, userID, err)
		}
		s.Log.InfoContext(ctx, "purchases claimed", "user_id", userID, "from", guest.ID,
			"purchases", claimed.Purchases, "credits", claimed.Credits)
	}
	return nil
}
