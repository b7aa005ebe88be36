package purchase

import (
	"context"
	"errors"
	"time"
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
		_, err = s.BookFetched(ctx, session, nil)
	}
	if err != nil && !errors.Is(err, ErrNotOurs) {
		s.Log.WarnContext(ctx, "could not catch up with a session", "session", sessionID, "err", err)
	}
}
