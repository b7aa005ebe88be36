package stripe

import (
	"context"
	"errors"
)

// The events that a refund of a card payment emits.
const (
	refundsAcacia = "acacia" // charge.refunded and refund.created, as accounts on newer versions do
	refundsLegacy = "legacy" // only charge.refunded, as version 2024-06-20 does
)

// What happens to amount_refunded when a refund fails or is canceled. Stripe does not document it, so the product must
// handle both.
const (
	failedLeaves = "leaves" // the sum decreases
	failedStays  = "stays"  // the sum includes every refund ever made
)

// settings can be changed while the stand-in runs.
type settings struct {
	// RefundEvents is refundsAcacia or refundsLegacy.
	RefundEvents string `json:"refund_events"`
	// FailedRefunds is failedLeaves or failedStays.
	FailedRefunds string `json:"failed_refunds"`
	// NewRefunds is the state in which a refund of a card payment begins.
	NewRefunds string `json:"new_refunds"`
}

func (s *settings) ref() (string, string) { return kindSettings, kindSettings }

var settingsParams = schema{
	"refund_events":  oneOf(refundsAcacia, refundsLegacy),
	"failed_refunds": oneOf(failedLeaves, failedStays),
	"new_refunds":    oneOf(refundSucceeded, refundPending),
}

// settings returns what any replica has set, or else the defaults.
func (t *txn) settings(ctx context.Context) (*settings, error) {
	set := &settings{RefundEvents: refundsAcacia, FailedRefunds: failedLeaves, NewRefunds: refundSucceeded}
	err := t.get(ctx, kindSettings, "", set)
	var refusal *apiError
	if errors.As(err, &refusal) && refusal.code == "resource_missing" {
		return set, nil
	}
	return set, err
}

func (s *Server) showSettings(ctx context.Context, t *txn, _ *call) (any, error) {
	return t.settings(ctx)
}

func (s *Server) changeSettings(ctx context.Context, t *txn, c *call) (any, error) {
	set, err := t.settings(ctx)
	if err != nil {
		return nil, err
	}
	if v := c.form["refund_events"]; v != "" {
		set.RefundEvents = v
	}
	if v := c.form["failed_refunds"]; v != "" {
		set.FailedRefunds = v
	}
	if v := c.form["new_refunds"]; v != "" {
		set.NewRefunds = v
	}
	return set, t.put(ctx, set)
}
