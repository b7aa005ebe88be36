package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const (
	// sweepPause is the time between two sweeps, on whichever replicas they run.
	sweepPause = 5 * time.Minute
	// sweepTick is how often a server looks whether a sweep is due, while a Checkout Session can be paid.
	sweepTick = time.Minute
	// sweepGrace is the time that a new session has before a sweep asks Stripe about it.
	sweepGrace = 2 * time.Minute
	// payable is how long a purchase may be paid, with some time for the event of its end.
	payable = 25 * time.Hour
	// clockDifference is how much Stripe's clock may differ from ours.
	clockDifference = 5 * time.Minute
)

// Sweep asks Stripe which Checkout Sessions were completed, and books those whose events have not come. It does so once
// in sweepPause on all replicas, and only while a purchase waits for its payment; waiting reports whether one does.
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
		_, err := s.Purchase.BookFetched(ctx, purchase.CheckoutOf(completed[id]), nil)
		s.Log.WarnContext(ctx, "event of a completed session is missing", "session", id, "err", err)
		if fault.Is(err, fault.Unavailable) {
			return err
		}
	}
	return nil
}

// RunSweeps sweeps until ctx ends. Any number of replicas may run it. It leaves the database alone unless a session may
// wait for its payment: because this server has opened one, or because the last sweep found one. The hourly
// reconciliation finds the sessions of a server that has stopped.
func (s *Service) RunSweeps(ctx context.Context) {
	waiting, opened := true, int64(0)
	periodic.Job{Name: "sweep sessions", Pause: sweepTick, Work: func(ctx context.Context) (err error) {
		now := s.Purchase.Opened()
		if !waiting && now == opened {
			return nil
		}
		opened = now
		waiting, err = s.Sweep(ctx)
		return err
	}}.Run(ctx, s.Log)
}
