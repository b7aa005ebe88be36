package delivery

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Mode is the way in which an event is delivered.
type Mode string

// The modes. Those but Normal test the receiver.
const (
	Normal      Mode = "normal"
	Duplicate   Mode = "duplicate"    // the same event several times, one after the other
	Shuffled    Mode = "shuffled"     // held back until Release, then sent in random order
	Delayed     Mode = "delayed"      // sent after Plan.Seconds
	Drop        Mode = "dropped"      // not sent until Redeliver
	WrongSecret Mode = "wrong_secret" // signed with a secret that no endpoint has
)

// Modes are all of them, in the order in which the page offers them.
var Modes = []Mode{Normal, Duplicate, Shuffled, Delayed, Drop, WrongSecret}

// Plan says how the next events are delivered, and whether Checkout waits for them.
type Plan struct {
	Mode          Mode `json:"mode"`
	Times         int  `json:"times"`          // Duplicate: the number of copies
	Seconds       int  `json:"seconds"`        // Delayed: the delay
	Remaining     *int `json:"remaining"`      // the number of events it still applies to; nil means until it is replaced
	RedirectFirst bool `json:"redirect_first"` // Checkout redirects without waiting for the webhook
}

// Left is Remaining as text, empty when the plan has no end.
func (p Plan) Left() string {
	if p.Remaining == nil {
		return ""
	}
	return strconv.Itoa(*p.Remaining)
}

// Plan returns the current plan.
func (t *Tx) Plan(ctx context.Context) (Plan, error) { return loadPlan(ctx, t) }

// SetPlan replaces the plan.
func (t *Tx) SetPlan(ctx context.Context, p Plan) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	_, err = t.ExecContext(ctx, `INSERT INTO stripe_sandbox.settings (name, value) VALUES ('delivery', $1)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, string(data))
	if err != nil {
		return fmt.Errorf("store plan: %w", err)
	}
	return nil
}

// usePlan returns the plan for the next event and counts the event down.
func (t *Tx) usePlan(ctx context.Context) (Plan, error) {
	p, err := t.Plan(ctx)
	if err != nil || p.Remaining == nil {
		return p, err
	}
	next := p
	next.Remaining = new(*p.Remaining - 1)
	if *next.Remaining <= 0 {
		next = Plan{Mode: Normal, RedirectFirst: p.RedirectFirst}
	}
	return p, t.SetPlan(ctx, next)
}

// loadPlan reads the plan from a database or in a transaction. A mode that no longer exists counts as Normal.
func loadPlan(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (p Plan, err error) {
	var data string
	err = db.QueryRowContext(ctx,
		`SELECT coalesce((SELECT value FROM stripe_sandbox.settings WHERE name = 'delivery'), '{}')`).Scan(&data)
	if err == nil {
		err = json.Unmarshal([]byte(data), &p)
	}
	if err != nil {
		return p, fmt.Errorf("read plan: %w", err)
	}
	if !slices.Contains(Modes, p.Mode) {
		p = Plan{Mode: Normal, RedirectFirst: p.RedirectFirst}
	}
	return p, nil
}
