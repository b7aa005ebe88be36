package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/webhook"
)

const endpointArea = area("doctor.area.endpoint")

// checkEndpoint checks Stripe's endpoint for our events, and creates or corrects it.
// Source: https://docs.stripe.com/api/webhook_endpoints
func (s *SetUp) checkEndpoint(ctx context.Context) []Check {
	switch {
	case s.accepted.IsZero():
		return endpointArea.warning("doctor.unchecked.stripe", nil)
	case !s.sandbox() && (!s.public() || s.Config.Strict() && !s.Config.Secure()):
		return endpointArea.warning("doctor.endpoint.no_address", nil)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	e, err := s.endpoints(ctx)
	if err == nil && s.mends() {
		return s.mendEndpoint(ctx, e)
	}
	if err != nil {
		return s.endpointFailed(ctx, err)
	}
	return s.judge(e)
}

// endpoints are Stripe's endpoints with our address.
type endpoints struct {
	ours     *stripe.WebhookEndpoint   // of our version, enabled
	disabled *stripe.WebhookEndpoint   // of our version
	others   []*stripe.WebhookEndpoint // of other versions, enabled
	enabled  int
}

func (s *SetUp) address() string { return s.Config.AppURL + webhook.Path }

func (s *SetUp) endpoints(ctx context.Context) (endpoints, error) {
	params := &stripe.WebhookEndpointListParams{}
	params.Context, params.Limit = ctx, stripe.Int64(100)
	var e endpoints
	list := s.Stripe.WebhookEndpoints.List(params)
	for list.Next() {
		found := list.WebhookEndpoint()
		current, enabled := found.APIVersion == stripe.APIVersion, found.Status == "enabled"
		switch {
		case found.URL != s.address():
			continue
		case current && enabled && e.ours == nil:
			e.ours = found
		case current && !enabled:
			e.disabled = found
		case !current && enabled:
			e.others = append(e.others, found)
		}
		if enabled {
			e.enabled++
		}
	}
	return e, list.Err()
}

// missing returns the events that we book and the endpoint does not send.
func missing(e *stripe.WebhookEndpoint) []string {
	if slices.Contains(e.EnabledEvents, "*") {
		return nil
	}
	return slices.DeleteFunc(webhook.Events(), func(name string) bool { return slices.Contains(e.EnabledEvents, name) })
}

// judge reports the endpoints without changing them.
func (s *SetUp) judge(e endpoints) []Check {
	args := facts{"url": s.address(), "version": stripe.APIVersion}
	switch {
	case e.ours == nil && len(e.others) > 0:
		return endpointArea.red("doctor.endpoint.version", args)
	case e.ours == nil && e.disabled != nil:
		return endpointArea.red("doctor.endpoint.disabled", args)
	case e.ours == nil:
		return endpointArea.red("doctor.endpoint.missing", args)
	}
	if events := missing(e.ours); len(events) > 0 {
		args["events"] = strings.Join(events, ", ")
		return endpointArea.red("doctor.endpoint.events", args)
	}
	if e.enabled > 1 {
		args["count"] = e.enabled
		return endpointArea.warning("doctor.endpoint.several", args)
	}
	return endpointArea.ok("doctor.endpoint.ok", args)
}
