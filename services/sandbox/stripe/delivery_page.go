package stripe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// deliveryPage shows how events travel, and what can be done about it.
type deliveryPage struct {
	page
	State deliveryState
	Now   string // the mode in a sentence
	Modes []mode
	Held  []eventRow
	Log   []deliveryRow
	Typed url.Values // what was sent and could not be taken
	Error string
	Done  string
}

// deliveryRow is one line of the delivery log.
type deliveryRow struct {
	ID                                           int64
	Event, Type, Time, Mode, State, URL, Address string
	Answer, Took, Error                          string
	Attempts                                     int
}

func (s *Server) showDelivery(w http.ResponseWriter, r *http.Request) {
	s.sendDelivery(w, r, http.StatusOK, nil, nil)
}

// sendDelivery sends the page, after a refusal with what was typed and why it could not be taken.
func (s *Server) sendDelivery(w http.ResponseWriter, r *http.Request, status int, typed url.Values, wrong *controlProblem) {
	p := deliveryPage{page: s.pages.page(nil, r, "delivery.title"), Modes: modes, Typed: typed}
	p.Done = p.T("delivery.done." + r.URL.Query().Get("done"))
	if wrong != nil {
		p.Error, p.Done = p.T("delivery.error."+wrong.key, wrong.pairs...), ""
	}
	err := s.store.read(r.Context(), func(ctx context.Context, t *txn) (err error) {
		if p.State, err = t.deliveryState(ctx); err != nil {
			return err
		}
		if p.Held, err = t.heldEvents(ctx, p.page); err != nil {
			return err
		}
		p.Log, err = t.log(ctx, p.page)
		return err
	})
	if err != nil {
		s.fault(w, r, err, nil)
		return
	}
	p.Now = p.sentence(p.State.plan)
	s.send(w, status, "delivery.html", p)
}

// sentence says how events are delivered.
func (p page) sentence(now plan) string {
	return p.T("delivery.now."+string(now.Mode), "times", strconv.Itoa(now.Times), "seconds", strconv.Itoa(now.Seconds))
}

// Value is what a field shows: what was typed, else what is set, else nothing.
func (p deliveryPage) Value(name string) string {
	if p.Typed != nil {
		return p.Typed.Get(name)
	}
	n := map[string]int{"times": p.State.Times, "seconds": p.State.Seconds}[name]
	switch {
	case n > 0:
		return strconv.Itoa(n)
	case name == "mode":
		return string(p.State.Mode)
	case name == "events" && p.State.Remaining != nil:
		return strconv.Itoa(*p.State.Remaining)
	case name == "events" && p.State.Mode == modeNormal:
		return "1" // harmless: what nobody thinks of ends by itself
	}
	return ""
}

// heldEvents are the events that wait to be released.
func (t *txn) heldEvents(ctx context.Context, p page) (_ []eventRow, err error) {
	rows, err := t.QueryContext(ctx, `SELECT id, created_at, type FROM stripe_sandbox.events
		WHERE id IN (SELECT event FROM stripe_sandbox.deliveries WHERE state = 'held') ORDER BY seq LIMIT $1`, shown)
	if err != nil {
		return nil, fmt.Errorf("list held events: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []eventRow
	for rows.Next() {
		var one eventRow
		var at time.Time
		if err := rows.Scan(&one.ID, &at, &one.Type); err != nil {
			return nil, fmt.Errorf("list held events: %w", err)
		}
		one.Time = p.stamp(at)
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list held events: %w", err)
	}
	return all, nil
}

// log is the latest deliveries, newest first.
func (t *txn) log(ctx context.Context, p page) (_ []deliveryRow, err error) {
	rows, err := t.QueryContext(ctx, `SELECT d.id, d.event, e.type, d.created_at, d.mode, d.state, d.attempts, d.last_status, d.last_ms,
			coalesce(d.last_error, ''), d.endpoint, coalesce(o.data ->> 'url', '')
		FROM stripe_sandbox.deliveries d JOIN stripe_sandbox.events e ON e.id = d.event
		LEFT JOIN stripe_sandbox.objects o ON o.id = d.endpoint ORDER BY d.id DESC LIMIT $1`, shown)
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var all []deliveryRow
	for rows.Next() {
		var one deliveryRow
		var at time.Time
		var state string
		var status, ms sql.NullInt64
		if err := rows.Scan(&one.ID, &one.Event, &one.Type, &at, &one.Mode, &state, &one.Attempts, &status, &ms, &one.Error, &one.URL, &one.Address); err != nil {
			return nil, fmt.Errorf("list deliveries: %w", err)
		}
		one.describe(p, at, state, status, ms)
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	return all, nil
}

// describe puts a delivery into the words of the page.
func (d *deliveryRow) describe(p page, at time.Time, state string, status, ms sql.NullInt64) {
	d.Time, d.State = p.stamp(at), p.T("delivery.state."+state)
	if state == stateWaiting && d.Attempts > 0 {
		d.State = p.T("delivery.state.failed")
	}
	if d.Mode == string(modeNormal) {
		d.Mode = ""
	} else {
		d.Mode = p.T("delivery.mode." + d.Mode)
	}
	if d.Attempts == 0 {
		return
	}
	d.Answer = p.T("dashboard.noanswer")
	if status.Valid {
		d.Answer = strconv.FormatInt(status.Int64, 10)
	}
	if ms.Valid {
		d.Took = strconv.FormatInt(ms.Int64, 10) + "\u00a0ms"
	}
}
