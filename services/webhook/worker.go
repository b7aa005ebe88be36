package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/periodic"
)

// How often the worker looks for events that are due, and how many it takes at a time.
const (
	workerPause = 2 * time.Second
	workerBatch = 50
)

// Run books the events that could not be booked when they arrived, until ctx ends. Any number of replicas may run it.
func (s *Service) Run(ctx context.Context) {
	periodic.Job{Name: "book stored events", Pause: workerPause, Work: func(ctx context.Context) error {
		return errors.Join(s.BookDecided(ctx), s.BookDue(ctx))
	}}.Run(ctx, s.Log)
}

// BookDue tries every stored event whose time has come, once.
func (s *Service) BookDue(ctx context.Context) error {
	var ids []string
	err := s.DB.WithContext(ctx).Raw(`SELECT event_id FROM stripe_events
		WHERE status IN ('received', 'deferred', 'failed') AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?`,
		s.Now(), workerBatch).Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("events that are due: %w", err)
	}
	for _, id := range ids {
		s.attempt(ctx, id)
	}
	return nil
}

// Retry gives an event that failed, waits or was handed to a person all its attempts again, and tries at once.
// Booking is by the same rules, so trying what has been booked changes nothing.
//
// Errors: fault.NotFound when there is no such event, or nothing left to do for it.
func (s *Service) Retry(ctx context.Context, eventID string) error {
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		opened := tx.Exec(`UPDATE stripe_events SET status = 'received', attempts = 0, next_attempt_at = ?
			WHERE event_id = ? AND status IN ('review', 'failed', 'deferred', 'received')`, s.Now(), eventID)
		if opened.Error != nil {
			return fmt.Errorf("open event %s again: %w", eventID, opened.Error)
		}
		if opened.RowsAffected == 0 {
			return fault.New(fault.NotFound, nil)
		}
		return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionEventRetry, Detail: map[string]any{"event_id": eventID}})
	})
	if err != nil {
		return err
	}
	s.attempt(ctx, eventID)
	return nil
}

// bookWaiting marks as done the events of a payment that waited for the one just booked, also those for which Stripe was
// asked in vain meanwhile whose the payment is. What they said is in the ledger already, since settling reads the facts;
// this only ends their waiting.
func (s *Service) bookWaiting(ctx context.Context, paymentRef, eventID string) {
	if paymentRef == "" {
		return
	}
	var ids []string
	err := s.DB.WithContext(ctx).Raw(`SELECT event_id FROM stripe_events WHERE payment_ref = ? AND status IN ('deferred', 'failed') AND event_id <> ?`,
		paymentRef, eventID).Scan(&ids).Error
	if err != nil {
		return // their own time of next attempt will come
	}
	for _, id := range ids {
		if result, err := s.book(ctx, id); err == nil && len(result.rows) > 0 {
			s.Log.InfoContext(ctx, "waiting event moved credits", "event_id", id, "payment_ref", paymentRef)
		}
	}
}
