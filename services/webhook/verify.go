// Package webhook takes Stripe's events: verified, stored before they are answered, booked exactly once.
package webhook

import (
	"errors"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// tolerance is how far an event's signature time may lie from our clock, in either direction.
// Source: https://docs.stripe.com/webhooks#replay-attacks (five minutes)
const tolerance = 300 * time.Second

// maxIDLength is far beyond any id of Stripe's; PostgreSQL cannot index what is longer than a few thousand bytes.
const maxIDLength = 255

// verify checks an event's signature against every secret and that it has what we store of it. stripe-go accepts
// timestamps from the future, events without an id or without data, and an empty secret; we do not.
//
// Errors: fault.SignatureInvalid, whatever the reason: who cannot sign learns nothing.
func verify(payload []byte, header string, secrets []string, now time.Time) (stripe.Event, error) {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		event, err := webhook.ConstructEventWithOptions(payload, header, secret, webhook.ConstructEventOptions{
			IgnoreTolerance: true, IgnoreAPIVersionMismatch: true, // the time is checked below, both ways; versions are only logged
		})
		if errors.Is(err, webhook.ErrNoValidSignature) {
			continue // signed with another secret, as while one is being rotated
		}
		if err != nil || !fresh(header, now) || !complete(event) {
			return stripe.Event{}, fault.New(fault.SignatureInvalid, nil)
		}
		return event, nil
	}
	return stripe.Event{}, fault.New(fault.SignatureInvalid, nil)
}

// fresh reports whether the header's signature time is within tolerance of now.
func fresh(header string, now time.Time) bool {
	signed, ok := signedAt(header)
	age := now.Sub(signed)
	return ok && age <= tolerance && age >= -tolerance
}

func complete(e stripe.Event) bool {
	if e.ID == "" || len(e.ID) > maxIDLength || !models.Storable(e.ID+string(e.Type)+e.APIVersion) || e.Type == "" || e.Object != "event" || e.Data == nil {
		return false
	}
	return len(e.Data.Object) > 0
}
