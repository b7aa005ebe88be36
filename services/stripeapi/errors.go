package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Fault classifies an error of Stripe's client: fault.Unavailable when a retry may succeed, otherwise an internal
// error, because Stripe would refuse the same request again.
func Fault(err error) error {
	var e *stripe.Error
	if errors.As(err, &e) && refused(e) {
		return fmt.Errorf("stripe refused the request: type %s, code %s, param %s", e.Type, e.Code, e.Param)
	}
	return fault.Wrap(fault.Unavailable, fmt.Errorf("stripe: %w", Redact(err)))
}

// refused reports whether Stripe would refuse the same request again.
func refused(e *stripe.Error) bool {
	return e.HTTPStatusCode >= 400 && e.HTTPStatusCode < 500 &&
		e.HTTPStatusCode != http.StatusTooManyRequests && e.HTTPStatusCode != http.StatusConflict
}

// MissingParam returns the name of the parameter whose object Stripe does not know, or "".
func MissingParam(err error) string {
	var e *stripe.Error
	if errors.As(err, &e) && e.Code == stripe.ErrorCodeResourceMissing {
		return e.Param
	}
	return ""
}

// Redact reduces an error to a models.Cause and facts that quote neither our request nor Stripe's answer. A redacted
// error stays as it is.
func Redact(err error) error {
	var e *stripe.Error
	switch {
	case errors.As(err, new(models.Cause)):
		return err
	case errors.As(err, &e):
		return fmt.Errorf("%w: status %d, type %s, code %s, request %s", causeOf(e), e.HTTPStatusCode, e.Type, e.Code,
			e.RequestID)
	case errors.Is(err, context.Canceled):
		return models.CauseInterrupted
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", models.CauseNoAnswer, context.DeadlineExceeded)
	}
	return fmt.Errorf("%w (%T)", models.CauseNoAnswer, err)
}

// causeOf returns the code that is stored for an error of Stripe.
func causeOf(e *stripe.Error) models.Cause {
	switch {
	case !refused(e):
		return models.CauseStripe.Of(strconv.Itoa(e.HTTPStatusCode))
	case e.Code != "":
		return models.CauseRefused.Of(string(e.Code))
	}
	return models.CauseRefused.Of(string(e.Type))
}
