package purchase

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// ByID returns one purchase.
//
// Errors: fault.NotFound.
func (s *Service) ByID(ctx context.Context, id string) (models.Purchase, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id { // one spelling only
		return models.Purchase{}, fault.New(fault.NotFound, nil)
	}
	return s.find(ctx, "id = ?", parsed)
}

// Purchase returns one purchase of one user.
//
// Errors: fault.NotFound, both for an unknown id and for another user's.
func (s *Service) Purchase(ctx context.Context, userID int64, id string) (models.Purchase, error) {
	p, err := s.ByID(ctx, id)
	if err == nil && p.UserID != userID {
		return models.Purchase{}, fault.New(fault.NotFound, nil)
	}
	return p, err
}

// BySession returns the user's purchase of a Checkout Session.
//
// Errors: fault.NotFound, with fault.OtherAccount when it is another user's: session ids cannot be guessed, so the
// reader comes from that Checkout.
func (s *Service) BySession(ctx context.Context, userID int64, sessionID string) (models.Purchase, error) {
	if !models.Storable(sessionID) {
		return models.Purchase{}, fault.New(fault.NotFound, nil)
	}
	p, err := s.find(ctx, "checkout_session_id = ?", sessionID)
	if err == nil && p.UserID != userID {
		return models.Purchase{}, fault.Because(fault.NotFound, fault.OtherAccount)
	}
	return p, err
}

// RefundStatus returns Stripe's last reported status of a refund, empty if it has reported none.
func (s *Service) RefundStatus(ctx context.Context, refundID string) (status string, err error) {
	err = s.DB.WithContext(ctx).Raw(`SELECT status FROM stripe_refunds WHERE refund_id = ?`, refundID).Scan(&status).Error
	if err != nil {
		return "", fmt.Errorf("status of refund %s: %w", refundID, err)
	}
	return status, nil
}

func (s *Service) find(ctx context.Context, where string, args ...any) (models.Purchase, error) {
	var p models.Purchase
	err := s.DB.WithContext(ctx).Where(where, args...).Take(&p).Error
	return p, postgres.Found(err, "look up purchase")
}

// OfUser returns up to limit purchases of a user, newest first: those before one of them, or the newest for the zero
// id. more reports whether there are older ones.
func (s *Service) OfUser(ctx context.Context, userID int64, before uuid.UUID, limit int,
) (rows []models.Purchase, more bool, err error) {
	query := s.DB.WithContext(ctx).Where("user_id = ?", userID)
	if before != uuid.Nil {
		query = query.Where("(created_at, id) < (SELECT created_at, id FROM purchases WHERE id = ? AND user_id = ?)", before,
			userID)
	}
	if err := query.Order("created_at DESC, id DESC").Limit(limit + 1).Find(&rows).Error; err != nil {
		return nil, false, fmt.Errorf("purchases of user %d: %w", userID, err)
	}
	return rows[:min(len(rows), limit)], len(rows) > limit, nil
}
