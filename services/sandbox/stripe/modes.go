package stripe

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// mode is how an event is delivered.
type mode string

const (
	modeNormal      mode = "normal"
	modeDuplicate   mode = "duplicate" // the same event several times, one after the other
	modeShuffled    mode = "shuffled"  // held back until it is released, then sent in random order
	modeDelayed     mode = "delayed"
	modeDropped     mode = "dropped" // not sent until it is sent again by hand
	modeWrongSecret mode = "wrong_secret"
)

// modes are all of them, in the order in which the page offers them.
var modes = []mode{modeNormal, modeDuplicate, modeShuffled, modeDelayed, modeDropped, modeWrongSecret}

// plan is how events are delivered until it ends or is changed.
type plan struct {
	Mode      mode     `json:"mode"`
	Times     int      `json:"times"`     // duplicate: arrivals
	Seconds   int      `json:"seconds"`   // delayed: the wait
	Types     []string `json:"types"`     // the only event types concerned, all when empty
	Remaining *int     `json:"remaining"` // how many events it is for, nil until it is changed
}

// Left is how many events the plan is still for, empty when it lasts.
func (p plan) Left() string {
	if p.Remaining == nil {
		return ""
	}
	return strconv.Itoa(*p.Remaining)
}

// The names of what was set by hand.
const (
	settingPlan          = "delivery"
	settingRedirectFirst = "redirect_first"
)

// setting reads what was set by hand into value, and leaves it alone when nothing was.
func (t *txn) setting(ctx context.Context, name string, value any) error {
	var data string
	err := t.QueryRowContext(ctx, `SELECT value FROM stripe_sandbox.settings WHERE name = $1`, name).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(data), value)
	}
	if err != nil {
		return fmt.Errorf("read setting: %w", err)
	}
	return nil
}

// set stores what was set by hand.
func (t *txn) set(ctx context.Context, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode setting: %w", err)
	}
	_, err = t.ExecContext(ctx, `INSERT INTO stripe_sandbox.settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, string(data))
	if err != nil {
		return fmt.Errorf("store setting: %w", err)
	}
	return nil
}

// plan is how events are delivered at the moment. A mode of an earlier version counts as normal.
func (t *txn) plan(ctx context.Context) (plan, error) {
	normal := plan{Mode: modeNormal, Types: []string{}}
	p := normal
	if err := t.setting(ctx, settingPlan, &p); err != nil || !slices.Contains(modes, p.Mode) {
		return normal, err
	}
	return p, nil
}

// takePlan is how the next event, of this type, is delivered; it counts down the events that the plan is for.
func (t *txn) takePlan(ctx context.Context, kind string) (plan, error) {
	p, err := t.plan(ctx)
	if err != nil || p.Mode == modeNormal || (len(p.Types) > 0 && !slices.Contains(p.Types, kind)) {
		return plan{Mode: modeNormal}, err
	}
	if p.Remaining == nil {
		return p, nil
	}
	next := p
	next.Remaining = new(*p.Remaining - 1)
	if *next.Remaining <= 0 {
		next = plan{Mode: modeNormal, Types: []string{}}
	}
	return p, t.set(ctx, settingPlan, next)
}
