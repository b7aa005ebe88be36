package delivery

import (
	"context"
	"database/sql"
	"time"
)

// Event is an event as the pages list it.
type Event struct {
	ID, Type  string
	At        time.Time
	Delivered bool
	Attempts  int           // all attempts at its deliveries
	Status    sql.NullInt64 // the answer to the last one
}

// Entry is one delivery as the log lists it.
type Entry struct {
	ID            int64
	Event, Type   string
	At            time.Time
	Mode, State   string
	Attempts      int
	Status, Ms    sql.NullInt64
	Error         string
	Endpoint, URL string // URL is empty when the endpoint is gone
}

// Events returns the latest events, newest first.
func (t *Tx) Events(ctx context.Context, limit int) ([]Event, error) {
	return t.events(ctx, `true`, `DESC`, limit)
}

// HeldEvents returns the events that are held back, oldest first.
func (t *Tx) HeldEvents(ctx context.Context, limit int) ([]Event, error) {
	return t.events(ctx, `e.id IN (SELECT event FROM stripe_sandbox.deliveries WHERE state = 'held')`, `ASC`, limit)
}

func (t *Tx) events(ctx context.Context, where, order string, limit int) ([]Event, error) {
	return Collect(ctx, t, func(rows *sql.Rows, e *Event) error {
		return rows.Scan(&e.ID, &e.At, &e.Type, &e.Attempts, &e.Delivered, &e.Status)
	}, `SELECT e.id, e.created_at, e.type, coalesce(d.attempts, 0), e.delivered_at IS NOT NULL, d.status
		FROM stripe_sandbox.events e LEFT JOIN LATERAL (
			SELECT sum(attempts) AS attempts, (array_agg(last_status ORDER BY id DESC) FILTER (WHERE attempts > 0))[1] AS status
			FROM stripe_sandbox.deliveries WHERE event = e.id) d ON true
		WHERE `+where+` ORDER BY e.seq `+order+` LIMIT $1`, limit)
}

// Log returns the latest deliveries, newest first.
func (t *Tx) Log(ctx context.Context, limit int) ([]Entry, error) {
	return Collect(ctx, t, func(rows *sql.Rows, e *Entry) error {
		return rows.Scan(&e.ID, &e.Event, &e.Type, &e.At, &e.Mode, &e.State,
			&e.Attempts, &e.Status, &e.Ms, &e.Error, &e.Endpoint, &e.URL)
	}, `SELECT d.id, d.event, events.type, d.created_at, d.mode, d.state, d.attempts, d.last_status, d.last_ms,
			coalesce(d.last_error, ''), d.endpoint, coalesce(e.url, '')
		FROM stripe_sandbox.deliveries d JOIN stripe_sandbox.events ON events.id = d.event
		LEFT JOIN `+endpoints+` e ON e.id = d.endpoint ORDER BY d.id DESC LIMIT $1`, limit)
}
