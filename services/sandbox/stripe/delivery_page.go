package stripe

import (
	"context"
	"database/sql"
	"net/http"
	"strconv"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// deliveryPage shows and changes how events are delivered.
type deliveryPage struct {
	page
	State deliveryState
	Now   string // the mode in a sentence
	Modes []delivery.Mode
	Tries []try
	Held  []eventRow
	Log   []deliveryRow

	Done, Error string
}

// try is something that goes wrong between Stripe and the product, ready to be tried.
type try struct {
	Name   string        // of its texts
	Mode   delivery.Mode // of the next events; empty: it is done with a payment
	Events int
}

// tries are what the page offers first.
var tries = []try{{"lose", delivery.Drop, 1}, {"twice", delivery.Duplicate, 1}, {Name: "dispute"}}

// deliveryRow is one line of the delivery log.
type deliveryRow struct {
	delivery.Entry
	Time, Mode, State, Answer, Took string
}

func (s *Server) showDelivery(w http.ResponseWriter, r *http.Request) {
	p := deliveryPage{page: s.pages.page(nil, r, "delivery.title"), Modes: delivery.Modes, Tries: tries}
	p.Done, p.Error = p.outcome(r)
	err := s.store.read(r.Context(), func(ctx context.Context, t *txn) (err error) {
		if p.State, err = t.deliveryState(ctx); err != nil {
			return err
		}
		held, err := t.HeldEvents(ctx, maxRows)
		if err != nil {
			return err
		}
		for _, e := range held {
			p.Held = append(p.Held, p.event(e))
		}
		log, err := t.Log(ctx, maxRows)
		for _, e := range log {
			p.Log = append(p.Log, p.delivery(e))
		}
		return err
	})
	if err != nil {
		s.showError(w, r, err, nil)
		return
	}
	p.Now = p.T("delivery.now."+string(p.State.Mode), "times", strconv.Itoa(p.State.Times),
		"seconds", strconv.Itoa(p.State.Seconds))
	s.send(w, http.StatusOK, "delivery.html", p)
}

// Value is the current setting of a field.
func (p deliveryPage) Value(name string) string {
	n := map[string]int{"times": p.State.Times, "seconds": p.State.Seconds}[name]
	switch {
	case n > 0:
		return strconv.Itoa(n)
	case name == "mode":
		return string(p.State.Mode)
	case name == "events" && p.State.Remaining != nil:
		return strconv.Itoa(*p.State.Remaining)
	case name == "events" && p.State.Mode == delivery.Normal:
		return "1" // a safe default: a forgotten mode ends by itself
	}
	return ""
}

// delivery formats an entry of the log for the page.
func (p page) delivery(e delivery.Entry) deliveryRow {
	row := deliveryRow{Entry: e, Time: p.formatTime(e.At), State: p.T("delivery.state." + e.State)}
	if e.State == delivery.Waiting && e.Attempts > 0 {
		row.State = p.T("delivery.state.failed")
	}
	if e.Mode != string(delivery.Normal) {
		row.Mode = p.T("delivery.mode." + e.Mode)
	}
	if e.Attempts == 0 {
		return row
	}
	row.Answer = p.answer(e.Status)
	if e.Ms.Valid {
		row.Took = strconv.FormatInt(e.Ms.Int64, 10) + "\u00a0ms"
	}
	return row
}

// answer formats the status of an endpoint's answer.
func (p page) answer(status sql.NullInt64) string {
	if !status.Valid {
		return p.T("dashboard.noanswer")
	}
	return strconv.FormatInt(status.Int64, 10)
}
