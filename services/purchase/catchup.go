package purchase

import (
	"context"
	"errors"
	"time"

	"github.com/resume-matcher/credits/models"
)

// catchUpBudget is how long a page may wait for Stripe.
const catchUpBudget = 2 * time.Second

// RefreshSession asks Stripe how a session stands and books what its event has not brought yet. It is for a buyer who waits
// while the event is late or lost. What it cannot do now is left to the event, and written down.
//
// Locks: the payment, the purchase, then its user. Idempotent: the event, when it comes, finds nothing left to book.
func (s *Service) RefreshSession(ctx context.Context, sessionID string) {
	ctx, cancel := context.WithTimeout(ctx, catchUpBudget)
	defer cancel()
	session, err := s.fetchCheckout(ctx, sessionID)
	if err == nil {
		_, err = s.BookFetched(ctx, s.bookFetched(session))
	}
	if err != nil && !errors.Is(err, ErrNotOurs) {
		s.Log.WarnContext(ctx, "could not catch up with a session", "session", sessionID, "err", err)
	}
}

// BookFetched books what we learned by asking Stripe rather than by an event, and logs each entry that this adds: its event
// is late or lost.
//
// Errors: those of Book.
func (s *Service) BookFetched(ctx context.Context, fn Booking) ([]models.CreditTransaction, error) {
	var rows []models.CreditTransaction
	err := s.Book(ctx, func(tx models.Tx, told Told) (err error) {
		rows, err = fn(tx, told)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		s.Log.WarnContext(ctx, "credits moved before their event came", "user_id", row.UserID, "kind", row.Reason, "credits", row.DeltaCredits,
			"transaction_id", row.ID, "purchase_id", row.Meta.PurchaseID)
	}
	return rows, nil
}
