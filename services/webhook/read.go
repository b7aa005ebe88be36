package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// Overview is what an admin sees of the events: when the last one came, and those that need a person or still wait.
type Overview struct {
	LastReceived *time.Time
	Open         []models.StripeEvent // without payload
	MoreOpen     bool                 // there are more than those
	Purchases    map[string]uuid.UUID // of those open events that are about one of ours: by event, its purchase
}

// openSQL is what needs a person or still waits.
const openSQL = `status IN ('review', 'failed', 'deferred', 'received')`

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
	err := db.Omit("payload").Where(openSQL).Order("status = 'review' DESC, received_at DESC").Limit(limit + 1).Find(&o.Open).Error
	if err != nil {
		return o, fmt.Errorf("open events: %w", err)
	}
	if len(o.Open) > limit {
		o.Open, o.MoreOpen = o.Open[:limit], true
	}
	o.Purchases, err = s.purchasesOf(ctx, o.Open)
	return o, err
}

// purchasesOf finds the purchases that events are about: by their session, or by their payment.
func (s *Service) purchasesOf(ctx context.Context, events []models.StripeEvent) (map[string]uuid.UUID, error) {
	found := map[string]uuid.UUID{}
	if len(events) == 0 {
		return found, nil
	}
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.EventID
	}
	var rows []struct {
		EventID string
		ID      uuid.UUID
	}
	err := s.DB.WithContext(ctx).Raw(`SELECT e.event_id, p.id FROM stripe_events e
		LEFT JOIN stripe_charges c ON c.charge_id = e.payment_ref
		JOIN purchases p ON p.checkout_session_id = e.object_id OR p.payment_intent_id = coalesce(c.payment_ref, e.payment_ref)
		WHERE e.event_id IN ?`, ids).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("purchases of open events: %w", err)
	}
	for _, row := range rows {
		found[row.EventID] = row.ID
	}
	return found, nil
}

// OfPurchase returns the events about a purchase's session and payment, oldest first, without payload.
func (s *Service) OfPurchase(ctx context.Context, sessionID, paymentRef string) ([]models.StripeEvent, error) {
	var rows []models.StripeEvent
	err := s.DB.WithContext(ctx).Omit("payload").Where(`(object_id = @session AND object_id <> '') OR (payment_ref <> '' AND (payment_ref = @payment
			OR payment_ref IN (SELECT charge_id FROM stripe_charges WHERE payment_ref = @payment)))`, // some events name the charge alone
		map[string]any{"session": sessionID, "payment": paymentRef}).Order("received_at, event_id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("events of session %s: %w", sessionID, err)
	}
	return rows, nil
}
