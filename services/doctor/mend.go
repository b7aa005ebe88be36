package doctor

import (
	"context"
	"slices"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/webhook"
)

// mendEndpoint ensures one enabled endpoint of our version that sends every event we book. The secret of a new one is
// printed now, because Stripe's API never returns it again.
//
// Idempotent: an existing endpoint is corrected before a new one is created.
func (s *SetUp) mendEndpoint(ctx context.Context, e endpoints) []Check {
	var done []Check
	if e.ours == nil && e.disabled != nil {
		e.ours = e.disabled
	}
	if e.ours == nil {
		made, err := s.Stripe.WebhookEndpoints.New(s.newEndpoint(ctx))
		if err != nil {
			return s.endpointFailed(ctx, err)
		}
		created := endpointArea.warning("doctor.endpoint.created", facts{"url": s.address()})
		created[0].Secret = config.Secret(made.Secret)
		done = append(done, created...)
	} else if events := missing(e.ours); len(events) > 0 || e.ours.Status != "enabled" {
		update := &stripe.WebhookEndpointParams{EnabledEvents: stripe.StringSlice(append(slices.Clone(e.ours.EnabledEvents),
			events...)),
			Disabled: stripe.Bool(false)}
		update.Context = ctx
		if _, err := s.Stripe.WebhookEndpoints.Update(e.ours.ID, update); err != nil {
			return s.endpointFailed(ctx, err)
		}
		done = append(done, endpointArea.ok("doctor.endpoint.updated", facts{"url": s.address()})...)
	}
	for _, old := range e.others { // last: without an endpoint, events would be lost
		disable := &stripe.WebhookEndpointParams{Disabled: stripe.Bool(true)}
		disable.Context = ctx
		if _, err := s.Stripe.WebhookEndpoints.Update(old.ID, disable); err != nil {
			return append(done, s.endpointFailed(ctx, err)...)
		}
		done = append(done, endpointArea.ok("doctor.endpoint.replaced", facts{"id": old.ID, "version": stripe.APIVersion})...)
	}
	if len(done) == 0 {
		return s.judge(e)
	}
	return done
}

func (s *SetUp) newEndpoint(ctx context.Context) *stripe.WebhookEndpointParams {
	params := &stripe.WebhookEndpointParams{
		URL: stripe.String(s.address()), APIVersion: stripe.String(stripe.APIVersion),
		EnabledEvents: stripe.StringSlice(webhook.Events()),
		Description:   stripe.String("Resume Matcher Credits"),
	}
	params.Context = ctx
	return params
}

func (s *SetUp) endpointFailed(ctx context.Context, err error) []Check {
	s.Log.ErrorContext(ctx, "webhook endpoint failed", "err", reason(err))
	return endpointArea.red("doctor.endpoint.failed", facts{"reason": reason(err)})
}
