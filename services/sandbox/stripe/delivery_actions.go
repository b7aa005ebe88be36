package stripe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// deliveryState is how events are delivered, as /control/delivery tells it.
type deliveryState struct {
	plan
	RedirectFirst bool `json:"redirect_first"`
	Held          int  `json:"held"`
}

func (s *Server) deliveryState(ctx context.Context, t *txn) (any, error) { return t.deliveryState(ctx) }

func (t *txn) deliveryState(ctx context.Context) (state deliveryState, err error) {
	if state.plan, err = t.plan(ctx); err != nil {
		return state, err
	}
	if err := t.setting(ctx, settingRedirectFirst, &state.RedirectFirst); err != nil {
		return state, err
	}
	state.Held, err = t.held(ctx)
	return state, err
}

// setDelivery sets how events are delivered, and whether Checkout waits for them; what is not given stays.
func (s *Server) setDelivery(ctx context.Context, c control) (any, error) {
	err := c.only("mode", "times", "seconds", "types", "events", "redirect_first")
	if err != nil {
		return nil, err
	}
	var p plan
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
			err = t.set(ctx, settingPlan, p)
		}
		if err == nil && c.values.Has("redirect_first") {
			err = t.set(ctx, settingRedirectFirst, first == "true")
		}
		if err != nil {
			return err
		}
		state, err = t.deliveryState(ctx)
		return err
	})
	return state, err
}

// plan reads a mode with what it needs; the fields of other modes are passed over, since a form sends them all.
func (c control) plan() (p plan, err error) {
	p = plan{Mode: mode(c.text("mode")), Types: c.words("types")}
	if !slices.Contains(modes, p.Mode) {
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
	if events > 0 && p.Mode != modeNormal {
		p.Remaining = &events
	}
	switch p.Mode {
	case modeDuplicate:
		p.Times, err = c.count("times", 2, 20, 2)
	case modeDelayed:
		p.Seconds, err = c.count("seconds", 1, int((48 * time.Hour).Seconds()), 30)
	}
	return p, err
}

func joinModes() string {
	names := make([]string, len(modes))
	for i, m := range modes {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}

// releaseHeld sends what is held back.
func (s *Server) releaseHeld(ctx context.Context, c control) (any, error) {
	if err := c.only(); err != nil {
		return nil, err
	}
	var n int
	err := s.store.write(ctx, caller{}, func(ctx context.Context, t *txn) (err error) {
		n, err = t.release(ctx)
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
		endpoints, err := t.addressees(ctx, c.id, c.text("endpoint"))
		if err != nil {
			return err
		}
		return t.sendAgain(ctx, c.id, endpoints, times)
	})
	return map[string]any{"event": c.id, "sent": times}, err
}

// addressees are the endpoints that an event is sent to again.
func (t *txn) addressees(ctx context.Context, event, endpoint string) ([]string, error) {
	kinds, err := column[string](ctx, t, `SELECT type FROM stripe_sandbox.events WHERE id = $1`, event)
	if err != nil {
		return nil, err
	}
	if len(kinds) == 0 {
		return nil, missing(kindEvent, event, pathParam[kindEvent])
	}
	if endpoint != "" {
		var e webhookEndpoint
		if err := t.get(ctx, endpoint, pathParam[kindEndpoint], &e); err != nil {
			return nil, err
		}
		return []string{endpoint}, nil
	}
	meant, err := column[string](ctx, t, `SELECT DISTINCT d.endpoint FROM stripe_sandbox.deliveries d
		JOIN stripe_sandbox.objects o ON o.id = d.endpoint AND o.kind = $2 WHERE d.event = $1`, event, kindEndpoint)
	if err == nil && len(meant) == 0 {
		meant, err = t.listeners(ctx, kinds[0])
	}
	if err == nil && len(meant) == 0 {
		err = problem("nobody")
	}
	return meant, err
}

func (t *txn) sendAgain(ctx context.Context, event string, endpoints []string, times int) error {
	behind := map[string]int64{}
	for range times {
		for _, endpoint := range endpoints {
			id, err := t.enqueue(ctx, delivery{event: event, endpoint: endpoint, mode: modeNormal, state: stateWaiting, behind: behind[endpoint]})
			if err != nil {
				return fmt.Errorf("send again: %w", err)
			}
			behind[endpoint] = id
		}
	}
	return nil
}
