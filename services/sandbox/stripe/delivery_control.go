package stripe

import (
	"cmp"
	"context"
	"database/sql"
	"errors"

	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// deliveryParams change how events are delivered and whether Checkout waits for them. A field that is absent changes
// nothing. The page's form sends the fields of all modes, some of them empty.
var deliveryParams = schema{
	"mode": oneOf(modeNames()...), "times": optional(integer(2, 20)), "seconds": optional(integer(1, 48*3600)),
	"events": optional(integer(1, 1000)), "redirect_first": boolean,
}

var redeliverParams = schema{"times": integer(1, 20), "endpoint": identifier}

func modeNames() []string {
	names := make([]string, len(delivery.Modes))
	for i, m := range delivery.Modes {
		names[i] = string(m)
	}
	return names
}

// deliveryState is how events are delivered.
type deliveryState struct {
	delivery.Plan
	Held int // events that are held back
}

func (t *txn) deliveryState(ctx context.Context) (state deliveryState, err error) {
	if state.Plan, err = t.Plan(ctx); err != nil {
		return state, err
	}
	state.Held, err = t.CountHeld(ctx)
	return state, err
}

func (s *Server) showDeliveryState(ctx context.Context, t *txn, _ *call) (any, error) {
	state, err := t.deliveryState(ctx)
	return map[string]any{
		"mode": state.Mode, "times": state.Times, "seconds": state.Seconds, "remaining": state.Remaining,
		"redirect_first": state.RedirectFirst, "held": state.Held,
	}, err
}

func (s *Server) setDelivery(ctx context.Context, t *txn, c *call) (any, error) {
	now, err := t.Plan(ctx)
	if err != nil {
		return nil, err
	}
	p := now
	if c.form.has("mode") {
		p = c.form.plan()
		p.RedirectFirst = now.RedirectFirst
	}
	if c.form.has("redirect_first") {
		p.RedirectFirst = c.form.truth("redirect_first")
	}
	if err := t.SetPlan(ctx, p); err != nil {
		return nil, err
	}
	return s.showDeliveryState(ctx, t, c)
}

// plan returns the plan in the form, without the fields of other modes.
func (f form) plan() delivery.Plan {
	p := delivery.Plan{Mode: delivery.Mode(f["mode"])}
	if events := int(f.integer("events")); events > 0 && p.Mode != delivery.Normal {
		p.Remaining = &events
	}
	switch p.Mode {
	case delivery.Duplicate:
		p.Times = cmp.Or(int(f.integer("times")), 2)
	case delivery.Delayed:
		p.Seconds = cmp.Or(int(f.integer("seconds")), 30)
	}
	return p
}

// releaseHeld sends the events that are held back.
func (s *Server) releaseHeld(ctx context.Context, t *txn, _ *call) (any, error) {
	n, err := t.Release(ctx)
	return map[string]any{"released": n}, err
}

// redeliver sends an event again, whatever the mode: to one endpoint, or to each that it was meant for.
func (s *Server) redeliver(ctx context.Context, t *txn, c *call) (any, error) {
	receivers, err := t.receivers(ctx, c.id, c.form["endpoint"])
	if err != nil {
		return nil, err
	}
	times := max(int(c.form.integer("times")), 1)
	return map[string]any{"event": c.id, "sent": times}, t.Redeliver(ctx, c.id, receivers, times)
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
		return nil, conflict("no_endpoint", "No endpoint listens to event %s.", event)
	default:
		return meant, nil
	}
}
