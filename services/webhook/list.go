package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// Query says which stored events are wanted. The zero value wants all of them.
type Query struct {
	Status      models.StripeEventStatus
	Open        bool // only those that need a person or still wait
	Type        string
	From, Until time.Time // received at or after From and before Until; zero for no bound
	Object      string    // the id of the event, of what it is about, or of the payment; whole
	After       Cursor    // where the page begins
	Limit       int
}

// Cursor is the last event of a page; the zero value is the beginning of the list.
type Cursor struct {
	Received time.Time
	EventID  string
}

// Listed is a page of events, newest first, without payload. Next is where the next one begins, nil at the end.
type Listed struct {
	Events    []models.StripeEvent
	Purchases map[string]uuid.UUID // by event, the purchase that it is about
	Next      *Cursor
}

// Types are the kinds of events that do something here; others are stored and ignored.
func (s *Service) Types() []string { return slices.Sorted(maps.Keys(s.bookings())) }

// Events lists stored events. Status and type are decided on the index alone, so that payloads stay unread.
func (s *Service) Events(ctx context.Context, q Query) (Listed, error) {
	where, args := "true", []any{sql.Named("limit", q.Limit+1)}
	add := func(condition, name string, value any) {
		where, args = where+" AND "+condition, append(args, sql.Named(name, value))
	}
	if q.Status != "" {
		add(`status = @status`, "status", string(q.Status))
	}
	if q.Open {
		where += " AND " + openSQL
	}
	if q.Type != "" {
		add(`type = @type`, "type", q.Type)
	}
	if !q.From.IsZero() {
		add(`received_at >= @from`, "from", q.From)
	}
	if !q.Until.IsZero() {
		add(`received_at < @until`, "until", q.Until)
	}
	if q.Object != "" {
		add(`event_id IN (SELECT event_id FROM stripe_events WHERE event_id = @object UNION SELECT event_id FROM stripe_events WHERE object_id = @object AND object_id <> ''
			UNION SELECT event_id FROM stripe_events WHERE payment_ref = @object AND payment_ref <> '')`, "object", q.Object)
	}
	if q.After != (Cursor{}) {
		add(`(received_at, event_id) < (@received, @after)`, "received", q.After.Received)
		args = append(args, sql.Named("after", q.After.EventID))
	}
	var l Listed
	err := s.DB.WithContext(ctx).Raw(`SELECT event_id, type, api_version, livemode, object_id, payment_ref, status, attempts, next_attempt_at, last_error, decided,
			created_at_stripe, received_at, processed_at FROM stripe_events
		WHERE event_id IN (SELECT event_id FROM stripe_events WHERE `+where+` ORDER BY received_at DESC, event_id DESC LIMIT @limit)
		ORDER BY received_at DESC, event_id DESC`, args...).Scan(&l.Events).Error
	if err != nil {
		return l, fmt.Errorf("list events: %w", err)
	}
	if len(l.Events) > q.Limit {
		l.Events = l.Events[:q.Limit]
		last := l.Events[q.Limit-1]
		l.Next = &Cursor{Received: last.ReceivedAt, EventID: last.EventID}
	}
	l.Purchases, err = s.purchasesOf(ctx, l.Events)
	return l, err
}

// OfUser returns the newest events about a user's purchases, without payload.
func (s *Service) OfUser(ctx context.Context, userID int64, limit int) (Listed, error) {
	var l Listed
	err := s.DB.WithContext(ctx).Omit("payload").Where(`event_id IN (SELECT e.event_id FROM purchases p JOIN stripe_events e ON e.object_id = p.checkout_session_id AND e.object_id <> '' WHERE p.user_id = @user
			UNION SELECT e.event_id FROM purchases p JOIN stripe_events e ON e.payment_ref = p.payment_intent_id AND e.payment_ref <> '' WHERE p.user_id = @user
			UNION SELECT e.event_id FROM purchases p JOIN stripe_charges c ON c.payment_ref = p.payment_intent_id
				JOIN stripe_events e ON e.payment_ref = c.charge_id AND e.payment_ref <> '' WHERE p.user_id = @user)`,
		map[string]any{"user": userID}).Order("received_at DESC, event_id DESC").Limit(limit).Find(&l.Events).Error
	if err != nil {
		return l, fmt.Errorf("events of user %d: %w", userID, err)
	}
	l.Purchases, err = s.purchasesOf(ctx, l.Events)
	return l, err
}
