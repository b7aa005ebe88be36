package stripe

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// deliveryState is the answer of /control/delivery.
type deliveryState struct {
	delivery.Plan
	RedirectFirst bool `json:"redirect_first"`
	Held          int  `json:"held"`
}

func (s *Server) deliveryState(ctx context.Context, t *txn) (any, error) { return t.deliveryState(ctx) }

func (t *txn) deliveryState(ctx context.Context) (state deliveryState, err error) {
	if state.Plan, err = t.Plan(ctx); err != nil {
		return state, err
	}
	if state.RedirectFirst, err = t.RedirectFirst(ctx); err != nil {
		return state, err
	}
	state.Held, err = t.CountHeld(ctx)
	return state, err
}

// setDelivery changes how events are delivered and whether Checkout waits for them. A field that is absent changes
// nothing.
func (s *Server) setDelivery(ctx context.Context, c control) (any, error) {
	err := c.only("mode", "times", "seconds", "types", "events", "redirect_first")
	if err != nil {
		return nil, err
	}
	var p delivery.Plan
	if c.values.Has("mode") {
		if p, err = c.plan(); err != nil {
			return nil, err
		}
	}
	first := c.text("redirect_first")
	if c.values.Has("redirect_first") && first != "true" && first != "false" {
		return nil, problem("truth", "field", "redirect_first", "value", first)
	}
	var state deliveryState
	err = s.store.write(ctx, caller{}, func(ctx context.Context, t *txn) (err error) {
		if c.values.Has("mode") {
			err = t.SetPlan(ctx, p)
		}
		if err == nil && c.values.Has("redirect_first") {
			err = t.SetRedirectFirst(ctx, first == "true")
		}
		if err != nil {
			return err
		}
		state, err = t.deliveryState(ctx)
		return err
	})
	return state, err
}

// plan reads a mode and its fields. The fields of other modes are ignored, because the page's form sends them all.
func (c control) plan() (p delivery.Plan, err error) {
	p = delivery.Plan{Mode: delivery.Mode(c.text("mode")), Types: c.words("types")}
	if !slices.Contains(delivery.Modes, p.Mode) {
		return p, problem("mode", "value", string(p.Mode), "allowed", joinModes())
	}
	for _, kind := range p.Types {
		if !slices.Contains(eventTypes, kind) && kind != "refund.failed" {
			return p, problem("type", "value", kind)
		}
	}
	events, err := c.count("events", 1, 1000, 0)
	if err != nil {
		return p, err
	}
	if events > 0 && p.Mode != delivery.Normal {
		p.Remaining = &events
	}
	switch p.Mode {
	case delivery.Duplicate:
		p.Times, err = c.count("times", 2, 20, 2)
	case delivery.Delayed:
		p.Seconds, err = c.count("seconds", 1, int((48 * time.Hour).Seconds()), 30)
	}
	return p, err
}

func joinModes() string {
	names := make([]string, len(delivery.Modes))
	for i, m := range delivery.Modes {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}

// releaseHeld sends the events that are held back.
func (s *Server) releaseHeld(ctx context.Context, c control) (any, error) {
	if err := c.only(); err != nil {
		return nil, err
	}
	var n int
	err := s.store.write(ctx, caller{}, func(ctx context.Context, t *txn) (err error) {
		n, err = t.Release(ctx)
		return err
	})
	return map[string]any{"released": n}, err
}

// redeliver sends an event again, whatever the mode: to one endpoint, or to each that it was meant for.
func (s *Server) redeliver(ctx context.Context, c control) (any, error) {
	if err := c.only("times", "endpoint"); err != nil {
		return nil, err
	}
	times, err := c.count("times", 1, 20, 1)
	if err != nil {
		return nil, err
	}
	err = s.store.write(ctx, caller{RequestID: newID("req_")}, func(ctx context.Context, t *txn) error {
		receivers, err := t.receivers(ctx, c.id, c.text("endpoint"))
		if err != nil {
			return err
		}
		return t.Redeliver(ctx, c.id, receivers, times)
	})
	return map[string]any{"event": c.id, "sent": times}, err
}

// receivers returns the endpoint that is named, or else those that the event was meant for.
func (t *txn) receivers(ctx context.Context, event, endpoint string) ([]string, error) {
	meant, err := t.Receivers(ctx, event)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, missing(kindEvent, event, pathParam[kindEvent])
	case err != nil:
		return nil, err
	case endpoint != "":
		var e webhookEndpoint
		return []string{endpoint}, t.get(ctx, endpoint, pathParam[kindEndpoint], &e)
	case len(meant) == 0:
		return nil, problem("nobody")
	default:
		return meant, nil
	}
}
