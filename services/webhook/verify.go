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

// maxIDLength bounds ids, types and versions, in bytes. Stripe's are much shorter, and PostgreSQL cannot index values
// of several kilobytes.
const maxIDLength = 255

// Refusal says why the verification of an event failed. The log and the metrics show it; the sender does not learn it.
type Refusal string

// The refusals.
const (
	RefusedHeader Refusal = "header" // no readable signature
	RefusedSecret Refusal = "secret" // signed with none of our secrets
	RefusedTime   Refusal = "time"   // signed too long ago or in the future: a clock is wrong, or the event is replayed
	RefusedEvent  Refusal = "event"  // well signed, and no complete event
)

// Refusals lists every refusal.
func Refusals() []Refusal { return []Refusal{RefusedHeader, RefusedSecret, RefusedTime, RefusedEvent} }

// Error returns the refusal.
func (r Refusal) Error() string { return string(r) }

// fault returns the refusal as the one answer for all of them.
func (r Refusal) fault() error { return fault.Wrap(fault.SignatureInvalid, r) }

// verify checks the signature of an event against every secret, and that the event is complete. Unlike stripe-go, it
// refuses times in the future, events without id or data, and an empty secret.
//
// Errors: fault.SignatureInvalid for every failure, so that callers cannot probe for the reason; it wraps a Refusal.
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
		signed, readable := signedAt(header)
		switch {
		case errors.Is(err, webhook.ErrNotSigned) || errors.Is(err, webhook.ErrInvalidHeader) || !readable:
			return stripe.Event{}, RefusedHeader.fault()
		case !recent(signed, now):
			return stripe.Event{}, RefusedTime.fault()
		case err != nil || !complete(event):
			return stripe.Event{}, RefusedEvent.fault()
		}
		return event, nil
	}
	return stripe.Event{}, RefusedSecret.fault()
}

// recent reports whether the time of the signature is within tolerance of now.
func recent(signed, now time.Time) bool {
	age := now.Sub(signed)
	return age <= tolerance && age >= -tolerance
}

// complete reports whether an event has all the fields that we store, in a form that PostgreSQL accepts.
func complete(e stripe.Event) bool {
	return e.Object == "event" && e.Type != "" && e.ID != "" &&
		max(len(e.ID), len(e.Type), len(e.APIVersion)) <= maxIDLength &&
		models.Storable(e.ID+string(e.Type)+e.APIVersion) && e.Data != nil && len(e.Data.Object) > 0
}

// signedAt parses the time of a Stripe-Signature header ("t=1700000000,v1=…"). It refuses a header with two times:
// stripe-go verifies the last one, so a recent time in front could hide an old signature.
func signedAt(header string) (time.Time, bool) {
	var signed time.Time
	times := 0
	for part := range strings.SplitSeq(header, ",") {
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
