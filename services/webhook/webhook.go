package webhook

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/tracing"
)

// inlineTimeout bounds the booking inside Stripe's request. Checkout delays the buyer's redirect until we answer, for
// up to ten seconds, so that buyers find their credits on the page they return to.
// Source: https://docs.stripe.com/checkout/fulfillment
const inlineTimeout = 2 * time.Second

// Service receives, stores and books events.
type Service struct {
	DB       *gorm.DB
	Reserve  *gorm.DB // stores what could not be booked while every connection of DB is taken; nil for DB
	Purchase *purchase.Service
	Catalog  *catalog.Service
	Secrets  []string // signing secrets; several during a rotation, none may be empty
	Livemode bool     // our Stripe key moves real money
	Now      func() time.Time
	Log      *slog.Logger

	// OnEventMissing is called for each event that was found at Stripe, had not come, and moved credits; nil: nothing is.
	OnEventMissing func()

	// InlineTimeout bounds the booking of an event inside the request that delivers it. An event that takes longer is
	// stored, and the worker books it. Default: two seconds.
	InlineTimeout time.Duration

	// ReserveTimeout is how long an event waits for a connection of Reserve before it waits for one of DB. Default: one
	// second.
	ReserveTimeout time.Duration
}

// Receive verifies an event, stores it and tries to book it at once. A nil error means that the event is stored; the
// worker books whatever could not be booked inline.
//
// Idempotent: by event id. Errors: fault.SignatureInvalid; any other error means that the event is not stored and
// Stripe must send it again.
func (s *Service) Receive(ctx context.Context, payload []byte, signature string) error {
	event, err := verify(payload, signature, s.Secrets, s.Now())
	if err != nil {
		s.Log.WarnContext(ctx, "event refused", "reason", errors.Unwrap(err))
		return err
	}
	_, err = s.bookOrStore(ctx, s.rowOf(event, payload))
	return err
}

// bookOrStore stores and books an event in one transaction. If booking fails, or needs facts from Stripe first, it
// stores the event alone. A duplicate changes nothing, and has no outcome.
func (s *Service) bookOrStore(ctx context.Context, event models.StripeEvent) (outcome, error) {
	if event.APIVersion != stripe.APIVersion {
		s.Log.WarnContext(ctx, "event of another API version", "event_id", event.EventID, "version", event.APIVersion)
	}
	ctx, span := tracing.Start(ctx, "receive event", tracing.Internal)
	defer span.End(nil)
	span.Set("stripe.event_id", event.EventID)
	span.Set("stripe.event_type", event.Type)
	inline, cancel := context.WithTimeout(ctx, cmp.Or(s.InlineTimeout, inlineTimeout))
	defer cancel()
	stored, cause := s.stored(inline, event.EventID)
	if stored { // booked, or the worker will book it
		return outcome{}, nil
	}
	var p plan
	if cause == nil {
		p, cause = s.planOf(event)
	}
	needsStripe := false
	if cause == nil {
		needsStripe, cause = s.needsStripe(inline, p)
	}
	if cause == nil && !needsStripe {
		var result outcome
		if result, cause = s.bookNew(inline, event, p); cause == nil {
			s.finish(inline, event.EventID, result)
			return result, nil
		}
	}
	inserted, err := s.store(ctx, event)
	switch {
	case err != nil || !inserted: // a concurrent delivery was faster
		return outcome{}, err
	case needsStripe || errors.Is(cause, purchase.ErrStaleFacts):
		return s.bookStored(inline, event.EventID), nil
	}
	s.postpone(ctx, event.EventID, cause)
	return outcome{status: models.EventFailed}, nil
}

// bookNew stores a new event as done and books it, in one transaction. A duplicate changes nothing.
//
// Locks: the event, then the payment, the purchase and its user. Errors: any error, such as purchase.ErrStaleFacts,
// means that nothing is stored.
func (s *Service) bookNew(ctx context.Context, event models.StripeEvent, p plan) (outcome, error) {
	var result outcome
	err := ledger.Book(ctx, s.DB, s.Log, func(tx models.Tx) ([]models.CreditTransaction, error) {
		result = outcome{} // the transaction may run again
		inserted, unblocks, err := insert(tx.DB, s.doneRow(event))
		if err != nil || !inserted {
			return nil, err
		}
		if result, err = s.route(tx, event.EventID, p, purchase.StripeFacts{}); err != nil {
			return nil, err
		}
		result.unblocks = unblocks
		if result.status == models.EventDone {
			return result.rows, nil
		}
		return result.rows, s.mark(tx, event, result)
	}, nil, "event_id", event.EventID)
	return result, err
}

// bookStored tries to book a stored event. On failure it schedules the next attempt.
func (s *Service) bookStored(ctx context.Context, eventID string) outcome {
	ctx, span := tracing.Start(ctx, "book stored event", tracing.Internal)
	span.Set("stripe.event_id", eventID)
	result, err := s.book(ctx, eventID)
	defer func() { span.End(err) }()
	if err != nil {
		s.postpone(ctx, eventID, err)
		return outcome{status: models.EventFailed}
	}
	s.finish(ctx, eventID, result)
	return result
}

// book books a stored event exactly once. Any replica may call it again at any time.
//
// Locks: the event, then the payment, the purchase and its user. Errors: any error, a panic among them, leaves the
// event stored for another attempt.
func (s *Service) book(ctx context.Context, eventID string) (_ outcome, err error) {
	defer s.recoverPanic(ctx, eventID, &err) // reading Stripe's answer may panic, too
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
	waited := event.Attempts > 0
	book := func(tx models.Tx, facts purchase.StripeFacts) ([]models.CreditTransaction, error) {
		result = outcome{} // the transaction may run again
		event, err := claim(tx, eventID, true)
		if err != nil || event == nil { // booked, or another replica is booking it
			return nil, err
		}
		if result, err = s.route(tx, eventID, p, facts); err != nil {
			return nil, err
		}
		result.unblocks = true
		return result.rows, s.mark(tx, *event, result)
	}
	err = s.Purchase.WithFacts(ctx, p.report, waited, book, "event_id", eventID)
	return result, err
}

// finish reports an event that needs a person, and books the events that waited for a booked one.
func (s *Service) finish(ctx context.Context, eventID string, result outcome) {
	switch {
	case result.status == models.EventReview:
		s.Log.ErrorContext(ctx, "event needs a person", "event_id", eventID, "reason", result.note)
	case result.status == models.EventDone && result.unblocks:
		s.bookWaiting(ctx, result.paymentRef, eventID)
	}
}
