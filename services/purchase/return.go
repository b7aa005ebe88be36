package purchase

import (
	"context"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

const (
	maxPolls     = 30 // before the buyer learns that Stripe is slow
	refreshEvery = 5  // polls: the first of each five asks Stripe
)

// RefreshDue reports whether the poll with this number asks Stripe.
func RefreshDue(poll int) bool { return poll%refreshEvery == 1 }

// Canceled describes the user's latest purchase, from whose Checkout the buyer returns without paying.
func (s *Service) Canceled(ctx context.Context, userID int64) (*models.Return, error) {
	latest, _, err := s.OfUser(ctx, userID, uuid.Nil, 1)
	if err != nil {
		return nil, err
	}
	state := &models.Return{Kind: models.ReturnCanceled}
	if len(latest) == 1 {
		state.PayURL, state.Onward = s.PayURL(latest[0]), latest[0].ReturnURL
	}
	return state, nil
}

// Returned describes the purchase of a Checkout Session that Stripe sends the buyer back from; nil when nothing is left
// to say. The address proves nothing: credits come from Stripe's event, or from Stripe's answer about the session while
// the event is late.
func (s *Service) Returned(ctx context.Context, userID int64, sessionID string, poll int) (*models.Return, error) {
	p, err := s.BySession(ctx, userID, sessionID)
	if f := fault.Of(err); f != nil && f.Problem == fault.OtherAccount {
		return &models.Return{Kind: models.ReturnElsewhere}, nil
	}
	if err == nil && p.Status == models.PurchasePending && RefreshDue(poll) { // the event is late or lost
		s.RefreshSession(ctx, sessionID)
		p, err = s.BySession(ctx, userID, sessionID)
	}
	if err != nil {
		return nil, err
	}
	state := &models.Return{Purchase: p, Onward: p.ReturnURL}
	switch {
	case p.AllReturned(): // an old address
		return nil, nil
	case p.Status == models.PurchaseReturned: // nothing was booked; the purchase's page says so
		return nil, nil
	case p.CreditsGranted > 0:
		state.Kind = models.ReturnBooked
	case p.Status == models.PurchaseFailed || p.Status == models.PurchaseExpired || p.Status.Unbooked():
		state.Kind = models.ReturnFailed
	case p.Status == models.PurchaseAwaitingPayment || poll >= maxPolls:
		state.Kind = models.ReturnWaiting
	default:
		state.Kind = models.ReturnProcessing
	}
	return state, nil
}
