package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/fault"
)

// Fault classifies an error of Stripe's client: fault.Unavailable when a retry may succeed, otherwise an internal
// error, because Stripe would refuse the same request again.
func Fault(err error) error {
	var e *stripe.Error
	if errors.As(err, &e) && e.HTTPStatusCode >= 400 && e.HTTPStatusCode < 500 &&
		e.HTTPStatusCode != http.StatusTooManyRequests && e.HTTPStatusCode != http.StatusConflict {
		return fmt.Errorf("stripe refused the request: type %s, code %s, param %s", e.Type, e.Code, e.Param)
	}
	return fault.Wrap(fault.Unavailable, fmt.Errorf("stripe: %w", Redact(err)))
}

// MissingParam returns the name of the parameter whose object Stripe does not know, or "".
func MissingParam(err error) string {
	var e *stripe.Error
	if errors.As(err, &e) && e.Code == stripe.ErrorCodeResourceMissing {
		return e.Param
	}
	return ""
}

// Redact reduces an error to facts that quote neither our request nor Stripe's answer.
func Redact(err error) error {
	var e *stripe.Error
	switch {
	case errors.As(err, &e):
		return fmt.Errorf("status %d, type %s, code %s, request %s", e.HTTPStatusCode, e.Type, e.Code, e.RequestID)
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return fmt.Errorf("no answer (%T)", err)
}
