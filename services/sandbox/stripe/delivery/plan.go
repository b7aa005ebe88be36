package delivery

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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

// Plan says how the next events are delivered.
type Plan struct {
	Mode      Mode `json:"mode"`
	Times     int  `json:"times"`     // Duplicate: the number of copies
	Seconds   int  `json:"seconds"`   // Delayed: the delay
	Remaining *int `json:"remaining"` // the number of events it still applies to; nil means until it is replaced
}

// Left is Remaining as text, empty when the plan has no end.
func (p Plan) Left() string {
	if p.Remaining == nil {
		return ""
	}
	return strconv.Itoa(*p.Remaining)
}

// The names of the settings.
const (
	settingPlan          = "delivery"
	settingRedirectFirst = "redirect_first"
)

// Plan returns the current plan. A mode that no longer exists counts as Normal.
func (t *Tx) Plan(ctx context.Context) (Plan, error) {
	normal := Plan{Mode: Normal}
	p := normal
	if err := loadSetting(ctx, t, settingPlan, &p); err != nil || !slices.Contains(Modes, p.Mode) {
		return normal, err
	}
	return p, nil
}

// SetPlan replaces the plan.
func (t *Tx) SetPlan(ctx context.Context, p Plan) error { return t.saveSetting(ctx, settingPlan, p) }

// RedirectFirst reports whether Checkout redirects without waiting for the webhook.
func (t *Tx) RedirectFirst(ctx context.Context) (first bool, err error) {
	return first, loadSetting(ctx, t, settingRedirectFirst, &first)
}

// SetRedirectFirst sets whether Checkout redirects without waiting for the webhook.
func (t *Tx) SetRedirectFirst(ctx context.Context, first bool) error {
	return t.saveSetting(ctx, settingRedirectFirst, first)
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
		next = Plan{Mode: Normal}
	}
	return p, t.SetPlan(ctx, next)
}

// loadSetting reads a setting into value, which keeps what it holds when there is none. db is a database or a
// transaction.
func loadSetting(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, name string, value any) error {
	var data string
	err := db.QueryRowContext(ctx, `SELECT value FROM stripe_sandbox.settings WHERE name = $1`, name).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(data), value)
	}
	if err != nil {
		return fmt.Errorf("read setting %s: %w", name, err)
	}
	return nil
}

func (t *Tx) saveSetting(ctx context.Context, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode setting %s: %w", name, err)
	}
	_, err = t.ExecContext(ctx, `INSERT INTO stripe_sandbox.settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, string(data))
	if err != nil {
		return fmt.Errorf("store setting %s: %w", name, err)
	}
	return nil
}
