package webhook

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// inlineTimeout is how long an answer to Stripe waits for the booking. Checkout holds the buyer back until we answer, up to
// ten seconds, so booking at once lets them find their credits on the page they return to.
// Source: https://docs.stripe.com/checkout/fulfillment
const inlineTimeout = 2 * time.Second

// Service takes events in and books them.
type Service struct {
	DB       *gorm.DB
	Purchase *purchase.Service // books what an event says
	Catalog  *catalog.Service  // reads Stripe's prices
	Secrets  []string          // signing secrets, several while one is being rotated; none may be empty
	Livemode bool              // whether our Stripe key moves real money
	Now      func() time.Time
	Log      *slog.Logger

	// InlineTimeout bounds the booking of an event inside the request that brings it. An event that takes longer is
	// stored, and the worker books it. Zero means two seconds.
	InlineTimeout time.Duration
}

// Receive verifies an event, stores it, and tries to book it at once. When it returns nil the event is safe with us:
// what could not be booked now is booked by the worker.
//
// Idempotent: by event id. Errors: fault.SignatureInvalid; otherwise the event could not be stored and Stripe must
// send it again.
func (s *Service) Receive(ctx context.Context, payload []byte, signature string) error {
	event, err := verify(payload, signature, s.Secrets, s.Now())
	if err != nil {
		s.Log.WarnContext(ctx, "webhook refused", "code", fault.SignatureInvalid)
		return err
	}
	if event.APIVersion != stripe.APIVersion {
		s.Log.WarnContext(ctx, "event of another API version", "event_id", event.ID, "version", event.APIVersion)
	}
	known, err := s.known(ctx, event.ID)
	if err != nil || known { // a duplicate is with us already: in the ledger, or in the worker's hands
		return err
	}
	return s.take(ctx, s.rowOf(event, payload))
}

// known reports whether an event is stored. Most duplicates are, and need no transaction.
func (s *Service) known(ctx context.Context, eventID string) (bool, error) {
	var known bool
	err := s.DB.WithContext(ctx).Raw(`SELECT EXISTS (SELECT 1 FROM stripe_events WHERE event_id = ?)`, eventID).Row().Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look for event %s: %w", eventID, err)
	}
	return known, nil
}

// take books an event and stores it with that, in one transaction. One that cannot be booked so, or that Stripe must be
// asked about first, is stored by itself.
func (s *Service) take(ctx context.Context, event models.StripeEvent) error {
	inline, cancel := context.WithTimeout(ctx, cmp.Or(s.InlineTimeout, inlineTimeout))
	defer cancel()
	p, cause := s.planOf(event)
	asks := false
	if cause == nil {
		asks, cause = s.needsStripe(inline, p)
	}
	if cause == nil && !asks {
		var result outcome
		if result, cause = s.bookNew(inline, event, p); cause == nil {
			s.report(inline, event.EventID, result)
			return nil
		}
	}
	fresh, err := s.store(ctx, event)
	switch {
	case err != nil || !fresh: // another delivery was faster
		return err
	case asks || errors.Is(cause, purchase.ErrStaleFacts): // now that the event is safe, there is time to ask
		s.attempt(inline, event.EventID)
	default:
		s.postpone(ctx, event.EventID, cause)
	}
	return nil
}

// inlineGrace is how long the worker leaves a new event to the request that brought it.
const inlineGrace = 5 * time.Second

// rowOf is an event as it came.
func (s *Service) rowOf(e stripe.Event, payload []byte) models.StripeEvent {
	row := models.StripeEvent{EventID: e.ID, Type: string(e.Type), APIVersion: e.APIVersion, Livemode: e.Livemode, Payload: payload,
		CreatedAtStripe: e.Created, ReceivedAt: s.Now()}
	if o, err := parseObject(e.Data.Raw); err == nil && e.Account == "" && models.Storable(o.paymentRef()+o.ID) && len(o.paymentRef())+len(o.ID) <= 2*maxIDLength {
		row.PaymentRef, row.ObjectID = o.paymentRef(), o.ID
	}
	return row
}

// bookNew writes an event that has just come as done and does what it says, in one transaction: either both are
// committed, or nothing is. A duplicate changes nothing.
//
// Locks: the event, then the payment, the purchase and its user. Errors: what kept it from being booked,
// purchase.ErrStaleFacts among it; nothing is stored.
func (s *Service) bookNew(ctx context.Context, event models.StripeEvent, p plan) (outcome, error) {
	var result outcome
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		result = outcome{} // of an earlier attempt that a deadlock undid
		fresh, waited, err := insert(tx.DB, s.done(event))
		if err != nil || !fresh {
			return err
		}
		if result, err = s.route(tx, event.EventID, p, purchase.StripeFacts{}); err != nil {
			return err
		}
		result.waited = waited
		if result.status == models.EventDone {
			return nil
		}
		return s.mark(tx, event, result)
	})
	return result, err
}

// store keeps an event for the worker; false for a duplicate, which changes nothing.
func (s *Service) store(ctx context.Context, event models.StripeEvent) (bool, error) {
	event.Status, event.NextAttemptAt = models.EventReceived, s.Now().Add(inlineGrace)
	fresh, _, err := insert(s.DB.WithContext(ctx), event)
	return fresh, err
}

// done is an event as it is written once it is booked.
func (s *Service) done(event models.StripeEvent) models.StripeEvent {
	now := s.Now()
	event.Status, event.Attempts, event.NextAttemptAt, event.ProcessedAt = models.EventDone, 1, now, &now
	return event
}

// insert writes the row of an event unless it is there. It returns whether it was written, and whether other events wait
// for what it brings.
func insert(db *gorm.DB, e models.StripeEvent) (fresh, waited bool, err error) {
	err = db.Raw(`INSERT INTO stripe_events AS new (event_id, type, api_version, livemode, object_id, payment_ref, payload,
			status, attempts, next_attempt_at, processed_at, created_at_stripe, received_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING
		RETURNING new.payment_ref <> '' AND EXISTS (SELECT 1 FROM stripe_events e WHERE e.payment_ref = new.payment_ref AND e.status IN ('deferred', 'failed'))`,
		e.EventID, e.Type, e.APIVersion, e.Livemode, e.ObjectID, e.PaymentRef, e.Payload,
		e.Status, e.Attempts, e.NextAttemptAt, e.ProcessedAt, e.CreatedAtStripe, e.ReceivedAt).
		Row().Scan(&waited) // gorm's own Scan also writes the statement out, payload and all
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("store event %s: %w", e.EventID, err)
	}
	return true, waited, nil
}

// attempt books one stored event. A failure is written down for the worker and goes no further.
func (s *Service) attempt(ctx context.Context, eventID string) {
	result, err := s.book(ctx, eventID)
	if err != nil {
		s.postpone(ctx, eventID, err)
		return
	}
	s.report(ctx, eventID, result)
}

// report tells what an event came to, and ends the waiting of those that waited for it.
func (s *Service) report(ctx context.Context, eventID string, result outcome) {
	for _, row := range result.rows {
		s.Log.InfoContext(ctx, "credits moved", "user_id", row.UserID, "kind", row.Reason, "credits", row.DeltaCredits,
			"transaction_id", row.ID, "event_id", eventID)
	}
	switch {
	case result.status == models.EventReview:
		s.Log.ErrorContext(ctx, "event needs a person", "event_id", eventID, "reason", result.note)
	case result.status == models.EventDone && result.waited:
		s.bookWaiting(ctx, result.paymentRef, eventID)
	}
}

// book does to the ledger what one stored Stripe event says, exactly once.
// It may be called again for the same event at any time, from any replica.
//
// Locks: the event, then the payment, the purchase and its user. Errors: what kept it from being booked; the event
// stays stored and is tried again.
func (s *Service) book(ctx context.Context, eventID string) (outcome, error) {
	event, err := find(s.DB.WithContext(ctx), eventID, ``)
	if err != nil || event == nil {
		return outcome{}, err
	}
	p, err := s.planOf(*event)
	if err != nil {
		return outcome{}, err
	}
	if p.pullsPrices() {
		if _, err := s.Catalog.Pull(ctx); err != nil {
			return outcome{}, err
		}
	}
	var result outcome
	err = s.Purchase.WithFacts(ctx, p.report, event.Attempts > 0, func(tx models.Tx, facts purchase.StripeFacts) error {
		result = outcome{}                     // of an earlier attempt that a deadlock undid
		event, err := claim(tx, eventID, true) // nil when it is done, or when another replica has it
		if err != nil || event == nil {
			return err
		}
		if result, err = s.route(tx, eventID, p, facts); err != nil {
			return err
		}
		result.waited = true // perhaps
		return s.mark(tx, *event, result)
	})
	return result, err
}

// claim locks an event that is not done. With skipLocked it returns nil, without waiting, when another transaction holds it.
func claim(tx models.Tx, eventID string, skipLocked bool) (*models.StripeEvent, error) {
	if skipLocked {
		return find(tx.DB, eventID, ` FOR UPDATE SKIP LOCKED`)
	}
	return find(tx.DB, eventID, ` FOR UPDATE`)
}

// find returns an event that is not done, or nil; suffix locks it.
func find(db *gorm.DB, eventID, suffix string) (*models.StripeEvent, error) {
	var event models.StripeEvent
	err := db.Raw(`SELECT * FROM stripe_events WHERE event_id = ? AND status IN ('received', 'deferred', 'failed')`+suffix, eventID).Take(&event).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find event %s: %w", eventID, err)
	}
	return &event, nil
}

// mark writes what became of the event. One that has waited in vain for too long goes to a person.
func (s *Service) mark(tx models.Tx, event models.StripeEvent, result outcome) error {
	next := s.Now()
	if result.status == models.EventDeferred {
		pause, more := backoff(event.Attempts)
		if !more {
			result.status = models.EventReview
		}
		next = next.Add(pause)
	}
	err := tx.Exec(`UPDATE stripe_events SET status = ?, last_error = ?, attempts = ?, next_attempt_at = ?, processed_at = ?
		WHERE event_id = ?`, result.status, result.note, event.Attempts+1, next, s.Now(), event.EventID).Error
	if err != nil {
		return fmt.Errorf("mark event %s: %w", event.EventID, err)
	}
	return nil
}

// postpone writes down that booking failed and when to try again.
func (s *Service) postpone(ctx context.Context, eventID string, cause error) {
	s.Log.ErrorContext(ctx, "event not booked", "event_id", eventID, "err", cause)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inlineTimeout)
	defer cancel()
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		event, err := claim(tx, eventID, false) // the transaction that failed may still be on its way out
		if err != nil || event == nil {
			return err
		}
		if postgres.Away(cause) || errors.Is(cause, context.Canceled) { // no attempt of the event's own
			return tx.Exec(`UPDATE stripe_events SET last_error = ?, next_attempt_at = ? WHERE event_id = ?`,
				models.CauseAway, s.Now().Add(inlineGrace), eventID).Error
		}
		status := models.EventFailed
		pause, more := backoff(event.Attempts)
		if !more {
			status = models.EventReview
		}
		return tx.Exec(`UPDATE stripe_events SET status = ?, last_error = ?, attempts = attempts + 1, next_attempt_at = ? WHERE event_id = ?`,
			status, models.CauseOf(cause), s.Now().Add(pause), eventID).Error
	})
	if err != nil { // it keeps its time of next attempt, so the worker finds it all the same
		s.Log.ErrorContext(ctx, "event not postponed", "event_id", eventID, "err", err)
	}
}

// pauses between the attempts to book an event. After the last one a person must look.
var pauses = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 6 * time.Hour, 24 * time.Hour}

func backoff(attempts int) (time.Duration, bool) {
	if attempts >= len(pauses) {
		return 0, false
	}
	return pauses[attempts], true
}
