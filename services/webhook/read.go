package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
)

// Overview is what an admin sees of the events: when the last one came, and those that need a person or still wait.
type Overview struct {
	LastReceived *time.Time
	Open         []models.StripeEvent // without payload
}

// Overview reads it.
func (s *Service) Overview(ctx context.Context, limit int) (Overview, error) {
	var o Overview
	db := s.DB.WithContext(ctx)
	var last sql.NullTime // NULL until the first event
	if err := db.Raw(`SELECT max(received_at) FROM stripe_events`).Scan(&last).Error; err != nil {
		return o, fmt.Errorf("last event: %w", err)
	}
	if last.Valid {
		o.LastReceived = &last.Time
	}
	err := db.Omit("payload").Where("status IN ('review', 'failed', 'deferred', 'received')").
		Order("status = 'review' DESC, received_at DESC").Limit(limit).Find(&o.Open).Error
	if err != nil {
		return o, fmt.Errorf("open events: %w", err)
	}
	return o, nil
}

// OfPurchase returns the events about a purchase's session and payment, oldest first, without payload.
func (s *Service) OfPurchase(ctx context.Context, sessionID, paymentRef string) ([]models.StripeEvent, error) {
	var rows []models.StripeEvent
	err := s.DB.WithContext(ctx).Omit("payload").Where("(object_id = ? AND object_id <> '') OR (payment_ref = ? AND payment_ref <> '')",
		sessionID, paymentRef).Order("received_at, event_id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("events of session %s: %w", sessionID, err)
	}
	return rows, nil
}
