package webhook

import (
	"slices"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

// An endpoint subscribes to every event that we book, by names that exist in our API version.
func TestEndpointEvents(t *testing.T) {
	t.Parallel()
	events := Events()
	for name := range (&Service{}).bookings() {
		if name != newerEvent && !slices.Contains(events, name) {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []stripe.EventType{stripe.EventTypeCheckoutSessionCompleted, stripe.EventTypeChargeRefunded,
		stripe.EventTypeRefundUpdated,
		stripe.EventTypeChargeDisputeFundsReinstated, stripe.EventTypeCustomerDeleted, stripe.EventTypePriceUpdated,
		stripe.EventTypeProductDeleted} {
		if !slices.Contains(events, string(name)) {
			t.Errorf("%s is missing", name)
		}
	}
	if slices.Contains(events, newerEvent) {
		t.Errorf("%s is listed, want it left out: our API version lacks it", newerEvent)
	}
	if !slices.IsSorted(events) || len(slices.Compact(slices.Clone(events))) != len(events) {
		t.Errorf("events = %v, want each once and sorted", events)
	}
}

// Stripe refuses to list more than twenty types.
// Source: https://docs.stripe.com/api/events/list#list_events-types
func TestEventsFitIntoOneList(t *testing.T) {
	t.Parallel()
	if n := len(Events()); n > 20 {
		t.Errorf("%d types, want at most 20", n)
	}
}
