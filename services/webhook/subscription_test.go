package webhook

import (
	"slices"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

// TestEvents wants every event that is booked to be asked for, by a name that Stripe has at our version.
func TestEvents(t *testing.T) {
	t.Parallel()
	events := Events()
	for name := range (&Service{}).bookings() {
		if name != laterVersion && !slices.Contains(events, name) {
			t.Errorf("nobody asks for %s", name)
		}
	}
	for _, name := range []stripe.EventType{stripe.EventTypeCheckoutSessionCompleted, stripe.EventTypeChargeRefunded, stripe.EventTypeRefundUpdated,
		stripe.EventTypeChargeDisputeFundsReinstated, stripe.EventTypeCustomerDeleted, stripe.EventTypePriceUpdated, stripe.EventTypeProductDeleted} {
		if !slices.Contains(events, string(name)) {
			t.Errorf("nobody asks for %s", name)
		}
	}
	if slices.Contains(events, laterVersion) {
		t.Errorf("%s cannot be asked for at this version", laterVersion)
	}
	if !slices.IsSorted(events) || len(slices.Compact(slices.Clone(events))) != len(events) {
		t.Errorf("the events are not each there once, in order: %v", events)
	}
}
