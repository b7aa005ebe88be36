package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// inlineGrace is how long the worker leaves a new event to the request that delivered it.
const inlineGrace = 5 * time.Second

// retryPauses are the delays before each retry to book an event. After the last attempt the event goes to review.
var retryPauses = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 6 * time.Hour, 24 * time.Hour}

// stored reports whether an event is stored. Most duplicates are, and need no transaction.
func (s *Service) stored(ctx context.Context, eventID string) (bool, error) {
	var stored bool
	err := s.DB.WithContext(ctx).Raw(`SELECT EXISTS (SELECT 1 FROM stripe_events WHERE event_id = ?)`, eventID).Row().
		Scan(&stored)
	if err != nil {
		return false, fmt.Errorf("look for event %s: %w", eventID, err)
	}
	return stored, nil
}

// rowOf converts an event into a row without status.
func (s *Service) rowOf(e stripe.Event, payload []byte) models.StripeEvent {
	row := models.StripeEvent{
		EventID: e.ID, Type: string(e.Type), APIVersion: e.APIVersion, Livemode: e.Livemode, Payload: payload,
		CreatedAtStripe: e.Created, ReceivedAt: s.Now(),
	}
	parsed, err := stripeapi.ParseObject(e.Data.Raw)
	o := object{Object: parsed}
	ref := o.paymentRef()
	if err == nil && e.Account == "" && models.Storable(ref+o.ID) && len(ref)+len(o.ID) <= 2*maxIDLength {
		row.PaymentRef, row.ObjectID = ref, o.ID
	}
	return row
}

// doneRow returns the row of an event that the same transaction books.
func (s *Service) doneRow(event models.StripeEvent) models.StripeEvent {
	now := s.Now()
	event.Status, event.Attempts, event.NextAttemptAt, event.ProcessedAt = models.EventDone, 1, now, &now
	return event
}

// store inserts an event for the worker; inserted is false for a duplicate.
func (s *Service) store(ctx context.Context, event models.StripeEvent) (inserted bool, err error) {
	event.Status, event.NextAttemptAt = models.EventReceived, s.Now().Add(inlineGrace)
	inserted, _, err = insert(s.free(ctx).WithContext(ctx), event)
	return inserted, err
}

// free returns the connections on which an event can be stored soonest: the reserve while all others are taken, unless
// it is taken as well or the server is full.
func (s *Service) free(ctx context.Context) *gorm.DB {
	if s.Reserve == nil || !postgres.UsedUp(s.DB) {
		return s.DB
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.ReserveTimeout, time.Second))
	defer cancel()
	if !postgres.Answers(ctx, s.Reserve) {
		return s.DB
	}
	return s.Reserve
}

// insert inserts an event's row; inserted is false for a duplicate. unblocks reports whether events of the same
// payment wait for it.
func insert(db *gorm.DB, e models.StripeEvent) (inserted, unblocks bool, err error) {
	var found []bool
	err = postgres.Pipeline(db, postgres.Statement{SQL: `INSERT INTO stripe_events AS new (event_id, type, api_version, livemode, object_id, payment_ref, payload,
			status, attempts, next_attempt_at, processed_at, created_at_stripe, received_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING
		RETURNING new.payment_ref <> '' AND EXISTS (SELECT 1 FROM stripe_events e
			WHERE e.payment_ref = new.payment_ref AND e.status IN ('deferred', 'failed'))`,
		Args: []any{e.EventID, e.Type, e.APIVersion, e.Livemode, e.ObjectID, e.PaymentRef, e.Payload,
			e.Status, e.Attempts, e.NextAttemptAt, e.ProcessedAt, e.CreatedAtStripe, e.ReceivedAt},
		Read: postgres.Values(&found)})
	if err != nil {
		return false, false, fmt.Errorf("store event %s: %w", e.EventID, err)
	}
	return len(found) > 0, len(found) > 0 && found[0], nil
}

// claim locks an event that is not done. With skipLocked it returns nil, without waiting, when another transaction
// holds it.
func claim(tx models.Tx, eventID string, skipLocked bool) (*models.StripeEvent, error) {
	if skipLocked {
		return find(tx.DB, eventID, ` FOR UPDATE SKIP LOCKED`)
	}
	return find(tx.DB, eventID, ` FOR UPDATE`)
}

// find returns an event that is not done, or nil. The suffix is appended to the statement, to lock the row.
func find(db *gorm.DB, eventID, suffix string) (*models.StripeEvent, error) {
	var event models.StripeEvent
	err := db.Raw(`SELECT * FROM stripe_events WHERE event_id = ? AND status IN ('received', 'deferred', 'failed')`+suffix,
		eventID).Take(&event).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find event %s: %w", eventID, err)
	}
	return &event, nil
}

// mark stores the outcome of an event. A deferred event without attempts left goes to review.
func (s *Service) mark(tx models.Tx, event models.StripeEvent, result outcome) error {
	next := s.Now()
	if result.status == models.EventDeferred {
		pause, more := backoff(event.Attempts)
		if !more {
			result.status = models.EventReview
		}
		next = next.Add(pause)
	}
	err := tx.Exec(
		`UPDATE stripe_events SET status = ?, last_error = ?, attempts = ?, next_attempt_at = ?, processed_at = ?
		WHERE event_id = ?`, result.status, result.note, event.Attempts+1, next, s.Now(), event.EventID).Error
	if err != nil {
		return fmt.Errorf("mark event %s: %w", event.EventID, err)
	}
	return nil
}

// postpone stores why booking failed and schedules the next attempt.
func (s *Service) postpone(ctx context.Context, eventID string, cause error) {
	s.Log.ErrorContext(ctx, "event not booked", "event_id", eventID, "err", cause)
	unfinished := ctx.Err() != nil || postgres.Away(cause) || errors.Is(cause, context.Canceled)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inlineTimeout)
	defer cancel()
	err := postgres.Transaction(ctx, s.free(ctx), func(tx models.Tx) error {
		event, err := claim(tx, eventID, false) // wait: the failed transaction may still be rolling back
		if err != nil || event == nil {
			return err
		}
		if unfinished { // does not count as an attempt
			return tx.Exec(`UPDATE stripe_events SET last_error = ?, next_attempt_at = ? WHERE event_id = ?`,
				models.CauseAway, s.Now().Add(inlineGrace), eventID).Error
		}
		status := models.EventFailed
		pause, more := backoff(event.Attempts)
		if !more {
			status = models.EventReview
		}
		return tx.Exec(`UPDATE stripe_events SET status = ?, last_error = ?, attempts = attempts + 1, next_attempt_at = ?
			WHERE event_id = ?`, status, models.CauseOf(cause), s.Now().Add(pause), eventID).Error
	})
	if err != nil { // the worker still finds the event by its previous next_attempt_at
		s.Log.ErrorContext(ctx, "postpone event failed", "event_id", eventID, "err", err)
	}
}

// backoff returns the pause after an event's attempts so far; more is false when none is left.
func backoff(attempts int) (pause time.Duration, more bool) {
	if attempts >= len(retryPauses) {
		return 0, false
	}
	return retryPauses[attempts], true
}
