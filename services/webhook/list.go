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

// Query filters stored events. The zero value matches every event.
type Query struct {
	Status      models.StripeEventStatus
	Open        bool // only events under review or waiting
	Type        string
	From, Until time.Time // received at or after From and before Until; zero for no bound
	Object      string    // the whole id of the event, its object or its payment
	After       Cursor    // last event of the previous page
	Limit       int
}

// Cursor is the last event of a page; the zero value starts the list.
type Cursor struct {
	Received time.Time
	EventID  string
}

// Listed is a page of events, newest first, without payload. Next is the cursor of the next page, nil at the end.
type Listed struct {
	Events    []models.StripeEvent
	Purchases map[string]uuid.UUID // the purchase of each event that has one
	Next      *Cursor
}

// Types returns the event types that we book; others are stored and ignored.
func (s *Service) Types() []string { return slices.Sorted(maps.Keys(s.bookings())) }

// Events lists stored events. The inner query filters only by index, so that no payload is read.
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
		add(`event_id IN (SELECT event_id FROM stripe_events WHERE event_id = @object
			UNION SELECT event_id FROM stripe_events WHERE object_id = @object AND object_id <> ''
			UNION SELECT event_id FROM stripe_events WHERE payment_ref = @object AND payment_ref <> '')`, "object", q.Object)
	}
	if q.After != (Cursor{}) {
		add(`(received_at, event_id) < (@received, @after)`, "received", q.After.Received)
		args = append(args, sql.Named("after", q.After.EventID))
	}
	var l Listed
	err := s.DB.WithContext(ctx).
		Raw(`SELECT event_id, type, api_version, livemode, object_id, payment_ref, status, attempts,
			next_attempt_at, last_error, decided, created_at_stripe, received_at, processed_at FROM stripe_events
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
	err := s.DB.WithContext(ctx).Omit("payload").Where(`event_id IN (
			SELECT e.event_id FROM purchases p JOIN stripe_events e ON e.object_id = p.checkout_session_id AND e.object_id <> ''
				WHERE p.user_id = @user
			UNION SELECT e.event_id FROM purchases p JOIN stripe_events e ON e.payment_ref = p.payment_intent_id AND e.payment_ref <> ''
				WHERE p.user_id = @user
			UNION SELECT e.event_id FROM purchases p JOIN stripe_charges c ON c.payment_ref = p.payment_intent_id
				JOIN stripe_events e ON e.payment_ref = c.charge_id AND e.payment_ref <> '' WHERE p.user_id = @user)`,
		map[string]any{"user": userID}).Order("received_at DESC, event_id DESC").Limit(limit).Find(&l.Events).Error
	if err != nil {
		return l, fmt.Errorf("list events of user %d: %w", userID, err)
	}
	l.Purchases, err = s.purchasesOf(ctx, l.Events)
	return l, err
}

// Overview is the time of the last event and the open events.
type Overview struct {
	LastReceived *time.Time
	Open         []models.StripeEvent // without payload
	MoreOpen     bool                 // more open events exist
	Purchases    map[string]uuid.UUID // the purchase of each open event that has one
}

// openSQL matches events under review or waiting.
const openSQL = `status IN ('review', 'failed', 'deferred', 'received')`

// Overview returns up to limit open events, those under review first.
func (s *Service) Overview(ctx context.Context, limit int) (Overview, error) {
	var o Overview
	db := s.DB.WithContext(ctx)
	var last sql.NullTime // NULL until the first event
	if err := db.Raw(`SELECT max(received_at) FROM stripe_events`).Scan(&last).Error; err != nil {
		return o, fmt.Errorf("find the last event: %w", err)
	}
	if last.Valid {
		o.LastReceived = &last.Time
	}
	err := db.Omit("payload").Where(openSQL).Order("status = 'review' DESC, received_at DESC").
		Limit(limit + 1).Find(&o.Open).Error
	if err != nil {
		return o, fmt.Errorf("list open events: %w", err)
	}
	if len(o.Open) > limit {
		o.Open, o.MoreOpen = o.Open[:limit], true
	}
	o.Purchases, err = s.purchasesOf(ctx, o.Open)
	return o, err
}

// purchasesOf finds the purchases of events, by session or payment.
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
		return nil, fmt.Errorf("find purchases of events: %w", err)
	}
	for _, row := range rows {
		found[row.EventID] = row.ID
	}
	return found, nil
}

// OfPurchase returns the events about a purchase's session and payment, oldest first, without payload.
func (s *Service) OfPurchase(ctx context.Context, sessionID, paymentRef string) ([]models.StripeEvent, error) {
	var rows []models.StripeEvent
	// Some events name only the charge.
	err := s.DB.WithContext(ctx).Omit("payload").Where(`(object_id = @session AND object_id <> '') OR (payment_ref <> ''
			AND (payment_ref = @payment OR payment_ref IN (SELECT charge_id FROM stripe_charges WHERE payment_ref = @payment)))`,
		map[string]any{"session": sessionID, "payment": paymentRef}).Order("received_at, event_id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("list events of session %s: %w", sessionID, err)
	}
	return rows, nil
}
