package webhook

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/periodic"
)

const workerBatch = 50 // events of one search

// Jobs book the events that were not booked inline, and those that did not come. Any number of replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	return []periodic.Job{
		{Name: "book stored events", Work: s.BookDue,
			Due: `(SELECT min(next_attempt_at) FROM stripe_events WHERE status IN ('received', 'deferred', 'failed'))`},
		{Name: "book decided events", Work: s.BookDecided,
			Due: `(SELECT now() FROM stripe_events e WHERE ` + decidedSQL + ` LIMIT 1)`, Args: decidedArgs()},
		s.missedJob(),
	}
}

// BookDue tries to book each due event once, oldest first, up to workerBatch of them.
func (s *Service) BookDue(ctx context.Context) error {
	var ids []string
	err := s.DB.WithContext(ctx).Raw(`SELECT event_id FROM stripe_events
		WHERE status IN ('received', 'deferred', 'failed') AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?`,
		s.Now(), workerBatch).Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("find due events: %w", err)
	}
	for _, id := range ids {
		s.bookStored(ctx, id)
	}
	return nil
}

// Retry resets the attempts of an event that is not done, even of one under review, and tries to book it at once.
//
// Idempotent: booking applies the same rules again. Errors: fault.NotFound when the event is unknown or done.
func (s *Service) Retry(ctx context.Context, eventID string) error {
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		reset := tx.Exec(`UPDATE stripe_events SET status = 'received', attempts = 0, next_attempt_at = ?
			WHERE event_id = ? AND status IN ('review', 'failed', 'deferred', 'received')`, s.Now(), eventID)
		if reset.Error != nil {
			return fmt.Errorf("reset event %s: %w", eventID, reset.Error)
		}
		if reset.RowsAffected == 0 {
			return fault.New(fault.NotFound, nil)
		}
		return models.AppendAudit(tx, models.AuditEvent{
			Action: models.ActionEventRetry, Detail: map[string]any{"event_id": eventID},
		})
	})
	if err != nil {
		return err
	}
	s.bookStored(ctx, eventID)
	return nil
}

// bookWaiting marks the deferred and failed events of a payment as done, after the event that they waited for was
// booked. Their facts are in the ledger already, because settling reads all facts of a payment.
func (s *Service) bookWaiting(ctx context.Context, paymentRef, eventID string) {
	if paymentRef == "" {
		return
	}
	var ids []string
	err := s.DB.WithContext(ctx).Raw(`SELECT event_id FROM stripe_events
		WHERE payment_ref = ? AND status IN ('deferred', 'failed') AND event_id <> ?`, paymentRef, eventID).Scan(&ids).Error
	if err != nil {
		return // the worker books them at their next attempt
	}
	for _, id := range ids {
		_, _ = s.book(ctx, id) // the worker tries again
	}
}
