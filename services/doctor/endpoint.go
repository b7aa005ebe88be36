package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/webhook"
)

const endpointArea = area("doctor.area.endpoint")

// checkEndpoint looks at Stripe for the endpoint that our events come to, and makes or mends it.
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

// endpoints are those at Stripe that send to our address.
type endpoints struct {
	right    *stripe.WebhookEndpoint   // enabled, of our version
	sleeping *stripe.WebhookEndpoint   // of our version, disabled
	wrong    []*stripe.WebhookEndpoint // enabled, of another version
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
		ours, enabled := found.APIVersion == stripe.APIVersion, found.Status == "enabled"
		switch {
		case found.URL != s.address():
			continue
		case ours && enabled && e.right == nil:
			e.right = found
		case ours && !enabled:
			e.sleeping = found
		case !ours && enabled:
			e.wrong = append(e.wrong, found)
		}
		if enabled {
			e.enabled++
		}
	}
	return e, list.Err()
}

// missing are the events that an endpoint does not send and we book.
func missing(e *stripe.WebhookEndpoint) []string {
	if slices.Contains(e.EnabledEvents, "*") {
		return nil
	}
	return slices.DeleteFunc(webhook.Events(), func(name string) bool { return slices.Contains(e.EnabledEvents, name) })
}

// judge says what is wrong with the endpoints as they are.
func (s *SetUp) judge(e endpoints) []Check {
	said := facts{"url": s.address(), "version": stripe.APIVersion}
	switch {
	case e.right == nil && len(e.wrong) > 0:
		return endpointArea.red("doctor.endpoint.version", said)
	case e.right == nil && e.sleeping != nil:
		return endpointArea.red("doctor.endpoint.disabled", said)
	case e.right == nil:
		return endpointArea.red("doctor.endpoint.missing", said)
	}
	if lacks := missing(e.right); len(lacks) > 0 {
		said["events"] = strings.Join(lacks, ", ")
		return endpointArea.red("doctor.endpoint.events", said)
	}
	if e.enabled > 1 {
		said["count"] = e.enabled
		return endpointArea.warning("doctor.endpoint.several", said)
	}
	return endpointArea.ok("doctor.endpoint.ok", said)
}
