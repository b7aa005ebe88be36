// Package webhook verifies Stripe's events, stores each before answering, and books it exactly once.
package webhook

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// tolerance is how far the time of a signature may differ from our clock, in either direction.
// Source: https://docs.stripe.com/webhooks#replay-attacks (five minutes)
const tolerance = 300 * time.Second

// maxIDLength bounds ids, in bytes. Stripe's are much shorter, and PostgreSQL cannot index values of several
// kilobytes.
const maxIDLength = 255

// verify checks the signature of an event against every secret, and that the event is complete. Unlike stripe-go, it
// refuses times in the future, events without id or data, and an empty secret.
//
// Errors: fault.SignatureInvalid for every failure, so that callers cannot probe for the reason.
func verify(payload []byte, header string, secrets []string, now time.Time) (stripe.Event, error) {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		event, err := webhook.ConstructEventWithOptions(payload, header, secret, webhook.ConstructEventOptions{
			IgnoreTolerance: true, IgnoreAPIVersionMismatch: true, // recent checks the time; Receive logs other versions
		})
		if errors.Is(err, webhook.ErrNoValidSignature) {
			continue // perhaps signed with another secret, during a rotation
		}
		if err != nil || !recent(header, now) || !complete(event) {
			return stripe.Event{}, fault.New(fault.SignatureInvalid, nil)
		}
		return event, nil
	}
	return stripe.Event{}, fault.New(fault.SignatureInvalid, nil)
}

// recent reports whether the time of the signature is within tolerance of now.
func recent(header string, now time.Time) bool {
	signed, ok := signedAt(header)
	age := now.Sub(signed)
	return ok && age <= tolerance && age >= -tolerance
}

// complete reports whether an event has all the fields that we store, in a form that PostgreSQL accepts.
func complete(e stripe.Event) bool {
	return e.Object == "event" && e.Type != "" && e.ID != "" && len(e.ID) <= maxIDLength &&
		models.Storable(e.ID+string(e.Type)+e.APIVersion) && e.Data != nil && len(e.Data.Object) > 0
}

// signedAt parses the time of a Stripe-Signature header ("t=1700000000,v1=…"). It refuses a header with two times:
// stripe-go verifies the last one, so a recent time in front could hide an old signature.
func signedAt(header string) (time.Time, bool) {
	var signed time.Time
	times := 0
	for _, part := range strings.Split(header, ",") {
		if seconds, ok := strings.CutPrefix(strings.TrimSpace(part), "t="); ok {
			n, err := strconv.ParseInt(seconds, 10, 64)
			if err != nil {
				return time.Time{}, false
			}
			signed = time.Unix(n, 0)
			times++
		}
	}
	return signed, times == 1
}
