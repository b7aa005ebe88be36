package purchase

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// UseNow stores both statements of a buyer, made after the order, and frees the credits that are held for want of them.
//
// Locks: the payment, the purchase, the user, the hold. Idempotent: by purchase; the first statements count.
// Errors: fault.NotFound; fault.Invalid with the field of a missing statement; fault.Conflict with fault.NothingHeld
// when no credits of the purchase are held for want of the statements.
// Source: § 357a Abs. 2 BGB
func (s *Service) UseNow(ctx context.Context, userID int64, purchaseID string, made *models.Consent) error {
	p, err := s.Purchase(ctx, userID, purchaseID)
	switch {
	case err != nil:
		return err
	case made == nil || !made.EarlyStart:
		return fault.Field("consent_early_start", fault.ConsentMissing)
	case !made.Compensation:
		return fault.Field("consent_compensation", fault.ConsentMissing)
	}
	var freed models.Credits
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		freed = 0
		locked, err := LockForDecision(tx, p.ID)
		switch {
		case err != nil:
			return err
		case locked.UserID != userID:
			return fault.New(fault.NotFound, nil)
		case locked.LaterConsent != nil:
			return nil
		}
		if freed, err = endPeriodHold(tx, *locked); err != nil {
			return err
		}
		if freed == 0 { // also after a declaration of withdrawal, whose hold has replaced it
			return fault.Because(fault.Conflict, fault.NothingHeld)
		}
		if err := tx.Exec(`UPDATE purchases SET later_consent = ?, updated_at = now() WHERE id = ?`, made, p.ID).
			Error; err != nil {
			return fmt.Errorf("store the later consent of purchase %s: %w", p.ID, err)
		}
		locked.LaterConsent = made
		return tellUsable(tx, *locked, freed)
	})
	if err == nil && freed > 0 {
		s.Log.InfoContext(ctx, "held credits made usable", "user_id", userID, "purchase_id", p.ID, "credits", freed)
	}
	return err
}
