package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const (
	// missedPause is the time between two lists of Stripe's events. With missedGrace, and after one failed attempt, an
	// event that does not come is booked within 15 minutes.
	missedPause = 5 * time.Minute
	// missedGrace is how long an event may take to come.
	missedGrace = 2 * time.Minute
	// missedReach is how far back a server looks after its start.
	missedReach = time.Hour
	// missedOverlap is how far a list reaches back into the one before, in case Stripe lists an event late.
	missedOverlap = 5 * time.Minute
)

// listed is what a server remembers of its last list of Stripe's events. Its zero value is that of a new server.
type listed struct {
	until time.Time       // when the last event of the list may have been created
	ids   map[string]bool // the events of the list; all of them are stored
}

// missedJob books the events that Stripe lists and that have not come. It asks the database only about events that the
// server has not listed before.
func (s *Service) missedJob() periodic.Job {
	var last listed
	return periodic.Job{Name: "look for missed events", Outside: true, Pause: missedPause,
		Work: func(ctx context.Context) (err error) {
			last, err = s.bookMissed(ctx, last)
			return err
		}}
}

// bookMissed books the events that Stripe has created since the last list and that have not come. The key's events are
// of our mode and account; should others be listed, they are skipped.
//
// Locks: per event those of booking it. Idempotent: by event id. Errors: as stripeapi.Fault, a restricted key needs
// read access to Events; of the database. The last list is then returned unchanged, so that the next call repeats it.
// Source: https://docs.stripe.com/api/events/list
func (s *Service) bookMissed(ctx context.Context, last listed) (listed, error) {
	next := listed{until: s.Now().Add(-missedGrace), ids: map[string]bool{}}
	since := next.until.Add(-missedReach) // of a new server, or of one whose clock was set back
	if !last.until.IsZero() && !last.until.After(next.until) {
		since = last.until.Add(-missedOverlap)
	}
	types := Events()
	params := &stripe.EventListParams{Types: stripe.StringSlice(types), CreatedRange: &stripe.RangeQueryParams{
		GreaterThanOrEqual: since.Unix(), LesserThanOrEqual: next.until.Unix()}}
	params.Context, params.Limit = ctx, stripe.Int64(stripeapi.PageSize)
	list := s.Purchase.Stripe.Events.List(params)
	var page []stripe.Event // newest first
	for list.Next() {
		e := list.Event()
		if !complete(*e) || e.Account != "" || e.Livemode != s.Livemode || !slices.Contains(types, string(e.Type)) {
			continue
		}
		if next.ids[e.ID] = true; !last.ids[e.ID] {
			page = append(page, *e)
		}
		if len(page) == stripeapi.PageSize {
			if err := s.bookUnstored(ctx, page); err != nil {
				return last, err
			}
			page = nil
		}
	}
	if err := list.Err(); err != nil {
		return last, stripeapi.Fault(err)
	}
	if err := s.bookUnstored(ctx, page); err != nil {
		return last, err
	}
	return next, nil
}

// bookUnstored books those of the listed events that are not stored, oldest first.
func (s *Service) bookUnstored(ctx context.Context, newestFirst []stripe.Event) error {
	if len(newestFirst) == 0 {
		return nil
	}
	ids := make([]string, len(newestFirst))
	for i, e := range newestFirst {
		ids[i] = e.ID
	}
	var stored []string
	err := s.DB.WithContext(periodic.Background(ctx)).
		Raw(`SELECT event_id FROM stripe_events WHERE event_id IN ?`, ids).Scan(&stored).Error
	if err != nil {
		return fmt.Errorf("look for missed events: %w", err)
	}
	for _, e := range slices.Backward(newestFirst) {
		if slices.Contains(stored, e.ID) {
			continue
		}
		payload, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", e.ID, err)
		}
		row := s.rowOf(e, payload)
		result, err := s.bookOrStore(ctx, row)
		if err == nil {
			err = s.reportMissed(ctx, row, result)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reportMissed logs an event that did not come. If the event moved credits, it also counts the event and sends the
// operator a letter, at most one a day. It does not for other events: an account whose API version is newer than our
// endpoint's lists kinds of events that Stripe does not send to the endpoint, at each refund.
func (s *Service) reportMissed(ctx context.Context, event models.StripeEvent, result outcome) error {
	if result.status == "" || result.status == models.EventIgnored { // another server was faster, or it is not ours
		return nil
	}
	s.Log.WarnContext(ctx, "event did not come", "event_id", event.EventID, "type", event.Type, "status", result.status)
	if len(result.rows) == 0 {
		return nil
	}
	if s.OnEventMissing != nil {
		s.OnEventMissing()
	}
	return postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		return mail.Add(tx, mail.EventMissing{Object: event.ObjectID}.Letter(s.Now()))
	})
}
