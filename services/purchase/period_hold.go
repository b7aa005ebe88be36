package purchase

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// HoldPeriod holds up to so many credits of a purchase until its withdrawal period ends, because its buyer has not
// asked to use them before. It holds nothing once the period is over, nor of a deleted account. ledger.Expire ends the
// hold.
//
// Units: credits. Locks: the user; the caller has locked the purchase, which has no such hold.
// Source: § 357a Abs. 2 BGB
func HoldPeriod(tx models.Tx, p models.Purchase, credits models.Credits) error {
	if !p.AwaitsConsent() || credits <= 0 {
		return nil
	}
	var user models.User // the zero value if nothing is to be held
	err := tx.Raw(`SELECT credits_balance, credits_held FROM users
		WHERE id = ? AND deleted_at IS NULL AND now() < ? FOR UPDATE`,
		p.UserID, PeriodEnd(p.CreatedAt)).Scan(&user).Error
	if err != nil {
		return fmt.Errorf("available credits of user %d: %w", p.UserID, err)
	}
	if credits = min(credits, p.CreditsLeft(), user.Available()); credits <= 0 { // a debt took the rest
		return nil
	}
	_, err = hold(tx, p, models.ReasonPeriod, credits)
	return err
}

// endPeriodHold frees the credits of a purchase that HoldPeriod holds, and returns them.
//
// Units: credits. Locks: the user, then the hold; the caller has locked the purchase. Idempotent.
func endPeriodHold(tx models.Tx, p models.Purchase) (models.Credits, error) {
	if !p.HoldsCredits {
		return 0, nil
	}
	held, err := periodHolds(tx.DB, "p.id = ?", p.ID)
	if err != nil || len(held) == 0 {
		return 0, err
	}
	return endHold(tx, p.UserID, &held[0].ID)
}

// endPeriodHolds is endPeriodHold for several purchases.
func endPeriodHolds(tx models.Tx, purchases []models.Purchase) ([]models.Credits, error) {
	freed := make([]models.Credits, len(purchases))
	for i, p := range purchases {
		var err error
		if freed[i], err = endPeriodHold(tx, p); err != nil {
			return nil, err
		}
	}
	return freed, nil
}

// Held returns the credits of a user's purchases that are held until withdrawal periods end, the earliest end first.
func (s *Service) Held(ctx context.Context, userID int64) ([]models.PeriodHold, error) {
	return periodHolds(s.DB.WithContext(ctx), "p.user_id = ?", userID)
}

// periodHolds reads the open holds of HoldPeriod for purchases p: at most one of each.
func periodHolds(db *gorm.DB, where string, args ...any) (holds []models.PeriodHold, err error) {
	err = db.Raw(`SELECT h.id, p.id AS purchase_id, p.number AS purchase_number, h.credits, h.expires_at AS until
		FROM purchases p JOIN holds h ON h.user_id = p.user_id AND h.exclusive = p.id::text AND h.status = 'open'
		WHERE p.holds_credits AND `+where+` ORDER BY h.expires_at, h.id`, args...).Scan(&holds).Error
	if err != nil {
		return nil, fmt.Errorf("holds until withdrawal periods end: %w", err)
	}
	return holds, nil
}
