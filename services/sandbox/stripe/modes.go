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

// mode is how an event is delivered. The first group changes when and how often, the second what arrives.
type mode string

const (
	modeNormal    mode = "normal"
	modeDuplicate mode = "duplicate"    // the same event several times, one after the other
	modeParallel  mode = "parallel"     // the same event several times at once
	modeSecond    mode = "second_event" // the same fact in further events, with identifiers of their own
	modeShuffled  mode = "shuffled"     // held back, then sent in random order
	modeDelayed   mode = "delayed"
	modeDropped   mode = "dropped" // not sent until it is sent again by hand

	modeWrongSecret  mode = "wrong_secret"
	modeOldStamp     mode = "old_timestamp"
	modeFutureStamp  mode = "future_timestamp"
	modeTwoSecrets   mode = "two_secrets" // while a secret is rolled: an old and the current one
	modeTrailingByte mode = "trailing_byte"
	modeLivemode     mode = "livemode"
	modeOtherVersion mode = "other_version"
	modeThin         mode = "thin" // as events of the second API generation look
	modeNoData       mode = "no_data"
)

// modes are all of them, in the order in which the page offers them.
var modes = []mode{
	modeNormal, modeDuplicate, modeParallel, modeSecond, modeShuffled, modeDelayed, modeDropped, modeWrongSecret, modeOldStamp,
	modeFutureStamp, modeTwoSecrets, modeTrailingByte, modeLivemode, modeOtherVersion, modeThin, modeNoData,
}

// disguises tells whether the mode changes what arrives.
func (m mode) disguises() bool { return slices.Index(modes, m) >= slices.Index(modes, modeWrongSecret) }

// plan is how events are delivered until it ends or is changed.
type plan struct {
	Mode      mode     `json:"mode"`
	Times     int      `json:"times"`       // duplicate, parallel: arrivals; second_event: further events
	Seconds   int      `json:"seconds"`     // delayed: the wait; old and future timestamp: how far off
	Hold      int      `json:"hold"`        // shuffled: how many events are waited for, 0 until they are released
	Version   string   `json:"api_version"` // other_version
	Types     []string `json:"types"`       // the only event types concerned, all when empty
	Remaining *int     `json:"remaining"`   // how many events it is for, nil until it is changed
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

// plan is how events are delivered at the moment.
func (t *txn) plan(ctx context.Context) (plan, error) {
	p := plan{Mode: modeNormal, Types: []string{}}
	return p, t.setting(ctx, settingPlan, &p)
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
