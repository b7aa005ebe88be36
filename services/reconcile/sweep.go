package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const (
	// sweepPause is the time between two sweeps, on whichever replicas they run.
	sweepPause = 5 * time.Minute
	// sweepGrace is the time that a new session has before a sweep asks Stripe about it, and that an event may take.
	sweepGrace = 2 * time.Minute
	// payable is how long a purchase may be paid, with some time for the event of its end.
	payable = 25 * time.Hour
	// clockDifference is how much Stripe's clock may differ from ours.
	clockDifference = 5 * time.Minute
)

// Sweep asks Stripe which Checkout Sessions were completed, and books those whose events have not come. It does so once
// in sweepPause on all replicas, and only while a purchase waits for its payment; waiting reports whether one does.
// Unlike the webhook service's search for missed events, it needs no right to read Events.
//
// Locks: none across the network; per session those of booking it. Idempotent.
// Errors: of the database; fault.Unavailable when Stripe does not answer. The next call then tries again.
func (s *Service) Sweep(ctx context.Context) (waiting bool, err error) {
	var due struct {
		Oldest  *time.Time
		Claimed bool
	}
	now := s.Now()
	err = s.DB.WithContext(ctx).Raw(`WITH waiting AS (
			SELECT min(created_at) AS oldest FROM purchases
			WHERE status = 'pending' AND created_at > @since AND checkout_session_id IS NOT NULL
		), claimed AS (
			UPDATE installations SET sessions_swept_at = @now FROM waiting
			WHERE sessions_swept_at <= @recent AND oldest <= @young RETURNING 1
		)
		SELECT oldest, EXISTS (SELECT FROM claimed) AS claimed FROM waiting`,
		map[string]any{"now": now, "since": now.Add(-payable), "recent": now.Add(-sweepPause), "young": now.Add(-sweepGrace)}).
		Scan(&due).Error
	switch {
	case err != nil:
		return true, fmt.Errorf("look for purchases that wait for payment: %w", err)
	case due.Oldest == nil || !due.Claimed:
		return due.Oldest != nil, nil
	}
	if err := s.bookCompleted(ctx, due.Oldest.Add(-clockDifference)); err != nil {
		release := s.DB.WithContext(context.WithoutCancel(ctx)).
			Exec(`UPDATE installations SET sessions_swept_at = '-infinity' WHERE sessions_swept_at = ?`, now)
		return true, errors.Join(err, release.Error)
	}
	return true, nil
}

// bookCompleted books the sessions that began since then, have been completed, and belong to pending purchases.
// Source: https://docs.stripe.com/api/checkout/sessions/list
func (s *Service) bookCompleted(ctx context.Context, since time.Time) error {
	params := &stripe.CheckoutSessionListParams{
		Status:       stripe.String(string(stripe.CheckoutSessionStatusComplete)),
		CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()},
	}
	params.Context, params.Limit = ctx, stripe.Int64(stripeapi.PageSize)
	params.AddExpand("data.payment_intent")
	completed, ids := map[string]*stripe.CheckoutSession{}, []string{""}
	list := s.Purchase.Stripe.CheckoutSessions.List(params)
	for list.Next() {
		if session := list.CheckoutSession(); session.Livemode == s.Purchase.Livemode {
			completed[session.ID], ids = session, append(ids, session.ID)
		}
	}
	if list.Err() != nil {
		return stripeapi.Fault(list.Err())
	}
	var pending []string
	err := s.DB.WithContext(ctx).Raw(`SELECT checkout_session_id FROM purchases
		WHERE status = 'pending' AND checkout_session_id IN ?`, ids).Scan(&pending).Error
	if err != nil {
		return fmt.Errorf("look for pending purchases of completed sessions: %w", err)
	}
	for _, id := range pending {
		_, err := s.Purchase.BookFetched(ctx, purchase.CheckoutOf(completed[id]), s.tellSilence(completed[id]))
		if s.eventMissing(completed[id]) {
			s.Log.WarnContext(ctx, "event of a completed session is missing", "session", id)
			if s.OnEventMissing != nil {
				s.OnEventMissing()
			}
		}
		switch {
		case fault.Is(err, fault.Unavailable):
			return err
		case err != nil:
			s.Log.WarnContext(ctx, "booking of a completed session failed", "session", id, "err", err)
		}
	}
	return nil
}

// eventMissing reports whether the event of a completed session should have come. An event takes seconds, and the sweep
// may come in between.
// Source: https://docs.stripe.com/changelog (2022-08-01: a session's PaymentIntent is created when the buyer pays)
func (s *Service) eventMissing(session *stripe.CheckoutSession) bool {
	paid := session.PaymentIntent
	return paid != nil && s.Now().Sub(time.Unix(paid.Created, 0)) > sweepGrace
}

// tellSilence stores, with the credits of a session whose event is missing, the letter about that: one a day.
func (s *Service) tellSilence(session *stripe.CheckoutSession) func(models.Tx, []models.CreditTransaction) error {
	return func(tx models.Tx, rows []models.CreditTransaction) error {
		if len(rows) == 0 || !s.eventMissing(session) {
			return nil
		}
		return mail.Add(tx, mail.EventMissing{Object: session.ID}.Letter(s.Now()))
	}
}

// sweepDueSQL is when the next sweep is due; NULL while no purchase waits for its payment.
const sweepDueSQL = `(SELECT greatest(min(p.created_at) + cast(@sweep_grace AS float8) * interval '1 second',
		min(i.sessions_swept_at) + cast(@sweep_pause AS float8) * interval '1 second')
	FROM purchases p, installations i WHERE p.status = 'pending' AND p.checkout_session_id IS NOT NULL
		AND p.created_at > now() - cast(@sweep_payable AS float8) * interval '1 second')`

// sweepJob sweeps when a purchase waits, whichever server has opened its session.
func (s *Service) sweepJob() periodic.Job {
	return periodic.Job{Name: "look for paid sessions", Due: sweepDueSQL, Args: map[string]any{
		"sweep_grace": sweepGrace.Seconds(), "sweep_pause": sweepPause.Seconds(), "sweep_payable": payable.Seconds(),
	}, Work: func(ctx context.Context) error {
		_, err := s.Sweep(ctx)
		return err
	}}
}
