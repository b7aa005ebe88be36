package webhook

import (
	"maps"
	"slices"
)

// Path is where Stripe's events come in, below APP_URL.
const Path = "/api/stripe/webhook"

// laterVersion does not exist at our API version; an endpoint cannot ask for it, and one of a newer version sends it.
const laterVersion = "refund.failed"

// Events is what an endpoint must listen to, sorted.
// Source: https://docs.stripe.com/api/webhook_endpoints/create
func Events() []string {
	names := slices.Sorted(maps.Keys((&Service{}).bookings()))
	return slices.DeleteFunc(names, func(name string) bool { return name == laterVersion })
}
