package webhook

import (
	"maps"
	"slices"
)

// Path is the webhook endpoint, relative to APP_URL.
const Path = "/api/stripe/webhook"

// newerEvent does not exist in our API version, so an endpoint cannot subscribe to it; one of a newer version sends
// it.
const newerEvent = "refund.failed"

// Events returns the event types that an endpoint must subscribe to, sorted.
// Source: https://docs.stripe.com/api/webhook_endpoints/create
func Events() []string {
	names := slices.Sorted(maps.Keys((&Service{}).bookings()))
	return slices.DeleteFunc(names, func(name string) bool { return name == newerEvent })
}
