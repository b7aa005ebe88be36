package stripe

import (
	"context"
	"errors"
)

// What happens to amount_refunded when a refund fails or is canceled. Stripe does not document it, so the product must
// handle both.
const (
	failedLeaves = "leaves" // the sum decreases
	failedStays  = "stays"  // the sum includes every refund ever made
)

// settings can be changed while the stand-in runs.
type settings struct {
	// RefundEvents is the set of events that a refund makes.
	RefundEvents RefundEvents `json:"refund_events"`
	// FailedRefunds is failedLeaves or failedStays.
	FailedRefunds string `json:"failed_refunds"`
	// NewRefunds is the state in which a refund of a card payment begins.
	NewRefunds string `json:"new_refunds"`
}

func (s *settings) ref() (string, string) { return kindSettings, kindSettings }

var settingsParams = schema{
	"refund_events":  oneOf(string(RefundEventsAcacia), string(RefundEventsLegacy)),
	"failed_refunds": oneOf(failedLeaves, failedStays),
	"new_refunds":    oneOf(refundSucceeded, refundPending),
}

// settings returns what any replica has set, or else what the server was started with.
func (s *Server) settings(ctx context.Context, t *txn) (*settings, error) {
	set := &settings{RefundEvents: s.refunds, FailedRefunds: failedLeaves, NewRefunds: refundSucceeded}
	err := t.get(ctx, kindSettings, "", set)
	var refusal *apiError
	if errors.As(err, &refusal) && refusal.code == "resource_missing" {
		return set, nil
	}
	return set, err
}

func (s *Server) showSettings(ctx context.Context, t *txn, _ *call) (any, error) {
	return s.settings(ctx, t)
}

func (s *Server) changeSettings(ctx context.Context, t *txn, c *call) (any, error) {
	set, err := s.settings(ctx, t)
	if err != nil {
		return nil, err
	}
	if v := c.form["refund_events"]; v != "" {
		set.RefundEvents = RefundEvents(v)
	}
	if v := c.form["failed_refunds"]; v != "" {
		set.FailedRefunds = v
	}
	if v := c.form["new_refunds"]; v != "" {
		set.NewRefunds = v
	}
	return set, t.put(ctx, set)
}
