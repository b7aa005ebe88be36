package webhook

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
)

// CatchUp asks Stripe how a session stands and books what its event has not brought yet, by the same functions. It is
// for a buyer who waits while the event is late or lost. What it cannot do now is left to the event, and written down.
//
// Locks: the payment, the purchase, then its user. Idempotent: the event, when it comes, finds nothing left to book.
func (s *Service) CatchUp(ctx context.Context, sessionID string) {
	ctx, cancel := context.WithTimeout(ctx, inlineBudget)
	defer cancel()
	session, err := s.Purchase.FetchCheckout(ctx, sessionID)
	if errors.Is(err, purchase.ErrNotOurs) {
		return
	}
	var rows []models.CreditTransaction
	if err == nil {
		err = models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
			p, err := purchase.RecordCheckout(tx, session, s.Now())
			if err != nil {
				return err
			}
			rows, err = purchase.Settle(tx, p, "")
			return err
		})
	}
	if err != nil {
		s.Log.WarnContext(ctx, "could not catch up with a session", "session", sessionID, "err", err)
		return
	}
	for _, row := range rows {
		s.Log.WarnContext(ctx, "credits moved before their event came", "user_id", row.UserID, "kind", row.Reason, "credits", row.DeltaCredits,
			"transaction_id", row.ID, "session", sessionID)
	}
}
